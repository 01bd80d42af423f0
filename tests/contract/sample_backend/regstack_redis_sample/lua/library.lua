-- What every script begins with. KEYS[1] is the prefix of all keys, ARGV[1] the operation; the
-- rest of ARGV are its arguments. Keys are made of what is read, so they cannot be declared, and a
-- cluster cannot run this.

local operations = {}
local writes = {}

-- Redis undoes nothing when a script fails half way. So an operation only reads, decides, and says
-- what is to be written; that is done when it has returned, and can only fail at the first command,
-- where the server refuses writes (it is full, or a replica).
local function write(...)
  writes[#writes + 1] = {...}
end

local function run()
  local operation = table.remove(ARGV, 1)
  local answer = operations[operation](unpack(ARGV))
  for _, command in ipairs(writes) do
    redis.call(unpack(command))
  end
  return answer
end

local function key(...)
  return KEYS[1] .. ':' .. table.concat({...}, ':')
end

-- Hashes: names and texts one after the other become a table, and back.

local function fields(flat)
  local row = {}
  for i = 1, #flat, 2 do
    row[flat[i]] = flat[i + 1]
  end
  return row
end

local function flat(row)
  local list = {}
  for name, text in pairs(row) do
    list[#list + 1] = name
    list[#list + 1] = text
  end
  return list
end

local function find(kind, id)
  local found = redis.call('HGETALL', key(kind, id))
  return #found > 0 and fields(found) or nil
end

local function user_exists(id)
  return redis.call('EXISTS', key('user', id)) == 1
end

-- Rows that expire. Each has a place in `expiring`, by its expiry; may be found by another value
-- than its id; and is named in the set `owned` of every user that it goes with.

local kinds = {
  attempt = {users = {}},
  code = {users = {'user_id'}},
  pending = {found_by = 'token_hash', users = {'user_id'}},
  state = {found_by = 'result_hash', users = {'linking_user_id', 'result_user_id'}},
}

local function alive(row, now)
  return row ~= nil and tonumber(row.expires_at) > tonumber(now)
end

-- Gives id and row; the row only while it is not expired.
local function find_alive(kind, value, now)
  local id = redis.call('GET', key(kind .. '_by', value))
  local row = id and find(kind, id)
  return id, alive(row or nil, now) and row or nil
end

local function drop(kind, id)
  local row = find(kind, id)
  if row then
    write('DEL', key(kind, id))
    write('ZREM', key('expiring', kind), id)
    local value = row[kinds[kind].found_by]
    if value then
      write('DEL', key(kind .. '_by', value))
    end
    for _, name in ipairs(kinds[kind].users) do
      if row[name] then
        write('SREM', key('owned', row[name]), kind .. ':' .. id)
      end
    end
  end
  return row
end

local function put(kind, id, row)
  drop(kind, id)
  write('HSET', key(kind, id), unpack(flat(row)))
  write('ZADD', key('expiring', kind), row.expires_at, id)
  local value = row[kinds[kind].found_by]
  if value then
    write('SET', key(kind .. '_by', value), id)
  end
  for _, name in ipairs(kinds[kind].users) do
    if row[name] then
      write('SADD', key('owned', row[name]), kind .. ':' .. id)
    end
  end
end

local function purge(kind, until_, batch)
  local ids = redis.call('ZRANGEBYSCORE', key('expiring', kind), '-inf', until_, 'LIMIT', 0, batch)
  for _, id in ipairs(ids) do
    drop(kind, id)
  end
  return #ids
end

-- Accounts, which `users` keeps and `oauth_identities` makes as well. A user is a hash, with the
-- tokens that live on it, and is found by:
--   email:<key>, reset:<hash>, change:<hash>   its id
--   users                                      all ids, in their order
--   search                                     email key and folded name, each with the id behind
--   superusers                                 ids of the active ones

local function user(id)
  return find('user', id)
end

local function at_version(row, version)
  return row and (version == '' or row.token_version == version)
end

local function user_by(index, value)
  local id = redis.call('GET', key(index, value))
  return id and user(id) or nil
end

local function is_admin(row)
  return row.is_active == '1' and row.is_superuser == '1'
end

-- NUL ends the text: core refuses it in texts.
local function search_entries(row)
  local entries = {row.email_key .. '\0' .. row.id}
  if row.name_key and row.name_key ~= '' then
    entries[2] = row.name_key .. '\0' .. row.id
  end
  return entries
end

local function keep(row)
  write('HSET', key('user', row.id), unpack(flat(row)))
  write('SET', key('email', row.email_key), row.id)
  write('ZADD', key('users'), 0, row.id)
  for _, entry in ipairs(search_entries(row)) do
    write('ZADD', key('search'), 0, entry)
  end
  if is_admin(row) then
    write('SADD', key('superusers'), row.id)
  end
  if row.reset_hash then
    write('SET', key('reset', row.reset_hash), row.id)
  end
  if row.change_hash then
    write('SET', key('change', row.change_hash), row.id)
  end
end

-- External identities, which `users` deletes and `oauth_identities` keeps.

local function subject_key(identity)
  return key('subject', identity.issuer .. '\0' .. identity.subject)
end

local function drop_identity(id)
  local identity = find('identity', id)
  write('DEL', key('identity', id), subject_key(identity))
  write('HDEL', key('identities', identity.user_id), identity.provider)
end
