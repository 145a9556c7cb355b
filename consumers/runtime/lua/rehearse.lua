#!lua flags=allow-oom
-- Try, to no effect, what the owner of the lease KEYS[1] has to be allowed to be rid of entries of
-- the group ARGV[1]: on its stream KEYS[2], its redeliveries KEYS[3], its dead letters KEYS[4], its hash
-- of failed attempts KEYS[5] and, if it has them, its output KEYS[6] and the memory of that, KEYS[7].
-- There is no entry 0-0, and none
-- can be written. Raises what the server says where this user lacks a right, before anything was
-- handled that could not be acknowledged.
local function try_to_add(key)
  local answer = redis.pcall('XADD', key, 'NOMKSTREAM', '0-0', 'event', '')
  if answer and answer.err and not string.find(answer.err, 'must be greater than 0-0', 1, true) then
    return answer
  end
end
redis.call('HGET', KEYS[1], 'epoch')
redis.call('XACK', KEYS[2], ARGV[1], '0-0')
redis.call('XACK', KEYS[3], ARGV[1], '0-0')
redis.call('XDEL', KEYS[3], '0-0')
redis.call('HDEL', KEYS[5], '')
local refused = try_to_add(KEYS[4]) or (KEYS[6] and try_to_add(KEYS[6]))
if refused then
  return refused
end
if KEYS[7] then
  redis.call('ZSCORE', KEYS[7], '')
  redis.call('ZADD', KEYS[7], 'XX', 0, '')
  redis.call('ZREMRANGEBYRANK', KEYS[7], 1, 0)
  redis.call('EXPIRE', KEYS[7], 604800)
end
return 1
