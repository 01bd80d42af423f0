-- A flow is a row by the hash of its state, found by the hash of its result.

function operations.create(state_hash, ...)
  local row = fields({...})
  if row.linking_user_id and not user_exists(row.linking_user_id) then
    return 0
  end
  if find('state', state_hash) then
    return 0
  end
  put('state', state_hash, row)
  return 1
end

-- The fields that follow are those of the result.
function operations.set_result(state_hash, now, ...)
  local row = find('state', state_hash)
  local result = fields({...})
  if not alive(row, now) or row.result_hash or not user_exists(result.result_user_id) then
    return 0
  end
  for name, text in pairs(result) do
    row[name] = text
  end
  put('state', state_hash, row)
  return 1
end

function operations.consume(result_hash, now)
  local state_hash, row = find_alive('state', result_hash, now)
  if not row then
    return false
  end
  drop('state', state_hash)
  return flat(row)
end

function operations.purge(until_, batch)
  return purge('state', until_, batch)
end

return run()
