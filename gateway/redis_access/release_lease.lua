#!lua flags=allow-oom
-- Give up the lease KEYS[1], if it is that of ARGV[1].
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
