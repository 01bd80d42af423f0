-- The window of a key is a row: when it opened, when it ends, and how many attempts it saw.

function operations.count(id, now, until_)
  local row = find('attempt', id)
  if not alive(row, now) then
    row = {opened_at = now, expires_at = until_, count = 0}
  end
  row.count = string.format('%d', row.count + 1)
  put('attempt', id, row)
  return {row.count, row.expires_at}
end

function operations.clear(id, now, at_most)
  local row = find('attempt', id)
  if row and at_most ~= '' and tonumber(row.count) > tonumber(at_most) then
    return 0
  end
  return alive(drop('attempt', id), now) and 1 or 0
end

function operations.purge(until_, batch)
  return purge('attempt', until_, batch)
end

return run()
