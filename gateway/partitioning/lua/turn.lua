#!lua
-- Turn what the hash KEYS[1] has noted as next, from ARGV[1] to ARGV[2]; with ARGV[3], put that number
-- behind the numbers of partitions, if these are ARGV[4] still. An empty ARGV[2] notes nothing any
-- more. Returns 1, or 0 if something else was noted.
if redis.call('HGET', KEYS[1], 'next') ~= ARGV[1] then
  return 0
end
if ARGV[3] ~= '' then
  if redis.call('HGET', KEYS[1], 'counts') ~= ARGV[4] then
    return 0
  end
  redis.call('HSET', KEYS[1], 'counts', ARGV[4] .. ',' .. ARGV[3])
end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], 'next', 'since_ms')
else
  redis.call('HSET', KEYS[1], 'next', ARGV[2])
end
return 1
