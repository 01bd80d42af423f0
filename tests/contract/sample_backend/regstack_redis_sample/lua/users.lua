-- How a user is stored and found stands in the library.

local function forget(row)
  write('DEL', key('user', row.id), key('email', row.email_key))
  write('ZREM', key('users'), row.id)
  write('ZREM', key('search'), unpack(search_entries(row)))
  write('SREM', key('superusers'), row.id)
  if row.reset_hash then
    write('DEL', key('reset', row.reset_hash))
  end
  if row.change_hash then
    write('DEL', key('change', row.change_hash))
  end
end

local function end_sessions(row, now)
  row.token_version = string.format('%d', row.token_version + 1)
  row.tokens_invalidated_after = now
  row.reset_hash, row.reset_expires_at = nil, nil
  row.change_hash, row.change_email, row.change_email_key, row.change_expires_at = nil, nil, nil, nil
end

local function is_last_admin(row)
  return is_admin(row) and redis.call('SCARD', key('superusers')) == 1
end

function operations.create(...)
  local new = fields({...})
  local known = user(new.id)
  if known then
    return flat(known)
  end
  if user_by('email', new.email_key) then
    return 'taken'
  end
  keep(new)
  return flat(new)
end

-- The fields that follow are those of any new account.
function operations.create_from_pending(token_hash, now, ...)
  local email_key, row = find_alive('pending', token_hash, now)
  if not row then
    return false
  end
  drop('pending', email_key)
  local known = user(row.user_id)
  if known and known.email_key == email_key then
    if known.is_verified == '0' then
      forget(known)
      end_sessions(known, now)
      known.is_verified, known.updated_at = '1', now
      keep(known)
    end
    return flat(known)
  end
  if row.for_account == '1' then
    return false
  end
  if known or user_by('email', email_key) then
    return 'taken'
  end
  local new = fields({...})
  new.id, new.email, new.email_key = row.user_id, row.email, email_key
  new.hashed_password, new.full_name, new.name_key = row.hashed_password, row.full_name, row.name_key
  keep(new)
  return flat(new)
end

function operations.by_email(email_key)
  local found = user_by('email', email_key)
  return found and flat(found) or false
end

function operations.login_subject(email_key, now)
  local found = user_by('email', email_key)
  if found then
    return {'user', flat(found)}
  end
  local row = find('pending', email_key)
  return alive(row, now) and {'pending', flat(row)} or false
end

function operations.token_subject(id, jti, now)
  local found = user(id)
  if not found then
    return false
  end
  local exp = redis.call('ZSCORE', key('revoked'), jti)
  return {flat(found), exp and tonumber(exp) > tonumber(now) and 1 or 0}
end

function operations.record_login(id, when)
  local row = user(id)
  if not row then
    return 0
  end
  if not row.last_login or tonumber(row.last_login) < tonumber(when) then
    write('HSET', key('user', id), 'last_login', when)
  end
  return 1
end

function operations.rehash_password(id, old_hash, new_hash)
  local row = user(id)
  if not row or row.hashed_password ~= old_hash then
    return 0
  end
  write('HSET', key('user', id), 'hashed_password', new_hash)
  return 1
end

-- `only`: '' or 'active'; `ends`: '' or 'ends sessions'; `names`: the fields to set, of which those
-- that have no text are removed.
function operations.change(id, version, only, ends, now, names, ...)
  local row = user(id)
  if not at_version(row, version) or (only == 'active' and row.is_active == '0') then
    return false
  end
  local changed = fields(flat(row))
  for name in names:gmatch('[^,]+') do
    changed[name] = nil
  end
  for name, text in pairs(fields({...})) do
    changed[name] = text
  end
  if is_last_admin(row) and not is_admin(changed) then
    return 'last superuser'
  end
  if ends ~= '' then
    end_sessions(changed, now)
  end
  changed.updated_at = now
  forget(row)
  keep(changed)
  return flat(changed)
end

function operations.hand_over(id, version, now)
  local row = user(id)
  if not at_version(row, version) or row.is_verified == '1' then
    return false
  end
  forget(row)
  end_sessions(row, now)
  row.hashed_password, row.phone_number = nil, nil
  row.is_mfa_enabled, row.is_verified, row.updated_at = '0', '1', now
  keep(row)
  for _, owned in ipairs(redis.call('SMEMBERS', key('owned', id))) do
    local kind, owned_id = owned:match('^(%l+):(.*)$')
    if kind == 'code' then
      drop(kind, owned_id)
    end
  end
  for _, identity in ipairs(redis.call('HVALS', key('identities', id))) do
    drop_identity(identity)
  end
  return flat(row)
end

function operations.reset_password(token_hash, now, hashed)
  local row = user_by('reset', token_hash)
  if not row or tonumber(row.reset_expires_at) <= tonumber(now) then
    return false
  end
  forget(row)
  end_sessions(row, now)
  row.hashed_password, row.updated_at = hashed, now
  keep(row)
  return flat(row)
end

function operations.confirm_email_change(token_hash, now)
  local row = user_by('change', token_hash)
  if not row or tonumber(row.change_expires_at) <= tonumber(now) then
    return false
  end
  local holder = user_by('email', row.change_email_key)
  if holder and holder.id ~= row.id then
    return 'taken'
  end
  forget(row)
  row.email, row.email_key, row.is_verified, row.updated_at = row.change_email, row.change_email_key, '1', now
  end_sessions(row, now)
  keep(row)
  return flat(row)
end

function operations.delete(id, version)
  local row = user(id)
  if not at_version(row, version) then
    return 0
  end
  if is_last_admin(row) then
    return 'last superuser'
  end
  forget(row)
  for _, owned in ipairs(redis.call('SMEMBERS', key('owned', id))) do
    drop(owned:match('^(%l+):(.*)$'))
  end
  for _, identity in ipairs(redis.call('HVALS', key('identities', id))) do
    drop_identity(identity)
  end
  return 1
end

-- Gives a function that gives one id after the other, in order, beginning behind `after`.
local function ids_of(search, after)
  local page, position = {}, 0
  if search ~= '' then
    local seen = {}
    -- No text holds the byte 255, so it comes behind all that begins with `search`.
    for _, entry in ipairs(redis.call('ZRANGEBYLEX', key('search'), '[' .. search, '(' .. search .. '\255')) do
      local id = entry:sub(-36)
      if id > after and not seen[id] then
        seen[id] = true
        page[#page + 1] = id
      end
    end
    table.sort(page)
  end
  return function()
    if position == #page and search == '' then
      local from = after == '' and '-' or '(' .. after
      page, position = redis.call('ZRANGEBYLEX', key('users'), from, '+', 'LIMIT', 0, 100), 0
      after = page[#page] or after
    end
    position = position + 1
    return page[position]
  end
end

local function matches(id, is_active, is_superuser, is_verified)
  local wanted = {is_active, is_superuser, is_verified}
  local flags = redis.call('HMGET', key('user', id), 'is_active', 'is_superuser', 'is_verified')
  for i = 1, 3 do
    if wanted[i] ~= '' and wanted[i] ~= flags[i] then
      return false
    end
  end
  return true
end

function operations.count(search, ...)
  if search == '' and table.concat({...}) == '' then
    return redis.call('ZCARD', key('users'))
  end
  local count = 0
  for id in ids_of(search, '') do
    if matches(id, ...) then
      count = count + 1
    end
  end
  return count
end

function operations.list(search, after, skip, limit, ...)
  local rows = {}
  skip, limit = tonumber(skip), tonumber(limit)
  if limit > 0 then
    for id in ids_of(search, after) do
      if matches(id, ...) then
        if skip > 0 then
          skip = skip - 1
        else
          rows[#rows + 1] = redis.call('HGETALL', key('user', id))
          if #rows == limit then
            break
          end
        end
      end
    end
  end
  return rows
end

return run()
