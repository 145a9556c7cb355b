#!lua flags=allow-oom
-- Remove the field ARGV[1] of the hash KEYS[1], if its value still is ARGV[2]; returns how many.
-- Idempotent.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  return redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
