-- An identity is a hash by its id, found by issuer and subject; `identities` of a user is a hash
-- of their ids by provider.

local function link(identity)
  write('HSET', key('identity', identity.id), unpack(flat(identity)))
  write('SET', subject_key(identity), identity.id)
  write('HSET', key('identities', identity.user_id), identity.provider, identity.id)
end

function operations.create(version, ...)
  local new = fields({...})
  local known = find('identity', new.id)
  if known then
    return flat(known)
  end
  if not at_version(user(new.user_id), version) then
    return 'no user'
  end
  if redis.call('EXISTS', subject_key(new)) == 1 then
    return 'taken'
  end
  if redis.call('HEXISTS', key('identities', new.user_id), new.provider) == 1 then
    return 'linked'
  end
  link(new)
  return flat(new)
end

-- Of the fields, the first `width` texts are those of the account.
function operations.create_with_user(width, ...)
  local texts = {...}
  local new = fields({unpack(texts, 1, tonumber(width))})
  local identity = fields({unpack(texts, width + 1)})
  local known = user(new.id)
  if known then
    return flat(known)
  end
  if user_by('email', new.email_key) then
    return 'taken'
  end
  if find('identity', identity.id) or redis.call('EXISTS', subject_key(identity)) == 1 then
    return 'linked'
  end
  keep(new)
  link(identity)
  return flat(new)
end

function operations.find_by_subject(issuer, subject)
  local id = redis.call('GET', subject_key({issuer = issuer, subject = subject}))
  return id and redis.call('HGETALL', key('identity', id)) or false
end

function operations.list_for_user(user_id)
  local rows = {}
  for _, id in ipairs(redis.call('HVALS', key('identities', user_id))) do
    rows[#rows + 1] = redis.call('HGETALL', key('identity', id))
  end
  return rows
end

function operations.delete(user_id, provider, version)
  local id = redis.call('HGET', key('identities', user_id), provider)
  if not id or not at_version(user(user_id), version) then
    return 0
  end
  drop_identity(id)
  return 1
end

function operations.delete_by_user_id(user_id)
  local ids = redis.call('HVALS', key('identities', user_id))
  for _, id in ipairs(ids) do
    drop_identity(id)
  end
  return #ids
end

function operations.touch_last_used(id, when)
  local row = find('identity', id)
  if not row then
    return 0
  end
  if not row.last_used_at or tonumber(row.last_used_at) < tonumber(when) then
    write('HSET', key('identity', id), 'last_used_at', when)
  end
  return 1
end

return run()
