-- Give the lock up, if it is still the owner's.
-- KEYS: lock; ARGV: owner, epoch
if redis.call('GET', KEYS[1]) == ARGV[2] .. ':' .. ARGV[1] then
    redis.call('DEL', KEYS[1])
end
return 1
