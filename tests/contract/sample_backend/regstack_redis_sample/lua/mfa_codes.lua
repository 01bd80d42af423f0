-- A code is a row by user and kind.

function operations.put(id, ...)
  local row = fields({...})
  if not user_exists(row.user_id) then
    return 0
  end
  put('code', id, row)
  return 1
end

function operations.verify(id, code_hash, now)
  local row = find('code', id)
  if not row then
    return {'missing', 0}
  end
  if not alive(row, now) then
    return {'expired', 0}
  end
  local left = row.max_attempts - row.attempts
  if left <= 0 then
    return {'locked', 0}
  end
  if row.code_hash ~= code_hash then
    write('HINCRBY', key('code', id), 'attempts', 1)
    return {'wrong', left - 1}
  end
  drop('code', id)
  return {'ok', 0, row.target}
end

function operations.delete(id, now)
  return alive(drop('code', id), now) and 1 or 0
end

function operations.purge(until_, batch)
  return purge('code', until_, batch)
end

return run()
