#!lua flags=allow-oom
-- Take or keep the lease KEYS[1] for ARGV[1] for ARGV[2] ms; 1 if it is held, 0 if by another.
-- One of another that has longer to live than any lease was given by a clock that has been put
-- right since, or has no end: it lasts as long as one that is given now, or its owner keeps it.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  local left_ms = redis.call('PTTL', KEYS[1])
  if left_ms < 0 or left_ms > tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
