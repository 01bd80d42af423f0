-- Revoked tokens are one sorted set: the token's id by its expiry. All else are single commands.

function operations.purge(until_, batch)
  local ids = redis.call('ZRANGEBYSCORE', key('revoked'), '-inf', until_, 'LIMIT', 0, batch)
  for _, jti in ipairs(ids) do
    write('ZREM', key('revoked'), jti)
  end
  return #ids
end

return run()
