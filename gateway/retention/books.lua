#!lua flags=allow-oom
-- Write fields and values, ARGV[2] on, into the books KEYS[2], if the lease KEYS[1] is still that of
-- ARGV[1]; without any, remove the books.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if #ARGV == 1 then
  redis.call('DEL', KEYS[2])
else
  redis.call('HSET', KEYS[2], unpack(ARGV, 2))
end
return 1
