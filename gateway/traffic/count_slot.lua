#!lua
-- Count events in the hash KEYS[1], which lives ARGV[1] seconds: the rest of ARGV is each portal's
-- member id and how many came.
for at = 2, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
