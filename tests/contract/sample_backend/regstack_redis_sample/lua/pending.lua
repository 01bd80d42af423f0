-- A registration is a row by its email key, found by the hash of its token.

function operations.put(email_key, ...)
  put('pending', email_key, fields({...}))
  return 1
end

function operations.rotate(old_token_hash, token_hash, expires_at, now)
  local email_key, row = find_alive('pending', old_token_hash, now)
  if not row then
    return 0
  end
  row.token_hash, row.expires_at = token_hash, expires_at
  put('pending', email_key, row)
  return 1
end

function operations.find_by_token_hash(token_hash, now)
  local _, row = find_alive('pending', token_hash, now)
  return row and flat(row) or false
end

function operations.consume(token_hash, now)
  local email_key, row = find_alive('pending', token_hash, now)
  if not row then
    return false
  end
  drop('pending', email_key)
  return flat(row)
end

function operations.delete_by_email(email_key, now)
  return alive(drop('pending', email_key), now) and 1 or 0
end

function operations.purge(until_, batch)
  return purge('pending', until_, batch)
end

return run()
