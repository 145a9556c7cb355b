#!lua flags=allow-oom
-- Keep in the hash KEYS[1] the numbers of partitions ARGV[1], if it has none, or has lost the last
-- ones of these; returns those that are kept then. Numbers are only ever added at the end.
local kept = redis.call('HGET', KEYS[1], 'counts')
if not kept or string.sub(ARGV[1], 1, #kept + 1) == kept .. ',' then
  redis.call('HSET', KEYS[1], 'counts', ARGV[1])
  return ARGV[1]
end
return kept
