#!lua flags=allow-oom
-- Take or keep the lease KEYS[1] for ARGV[1] for ARGV[2] ms; 1 if it is held, 0 if by another.
-- Allowed when memory is short: then, of all times, there must be somebody who trims.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
