#!lua
-- Writes ARGV[3] into the field ARGV[1] of KEYS[1], for ARGV[4] seconds, if ARGV[2] stands there
-- (empty: nothing). 1 if it stands there now, 0 if something else does.
local found = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if found ~= ARGV[2] and found ~= ARGV[3] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
