-- Replace what is sealed in KEYS[1] by ARGV[2] if it is still ARGV[1], so that nothing that was
-- written meanwhile is undone; ARGV[3] is the name of a field, if KEYS[1] is a hash. 1 if it was.
if ARGV[3] then
  if redis.call('HGET', KEYS[1], ARGV[3]) ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[2])
  return 1
end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local left_ms = redis.call('PTTL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2])
if left_ms > 0 then redis.call('PEXPIRE', KEYS[1], left_ms) end
return 1
