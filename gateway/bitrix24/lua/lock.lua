-- Who may refresh a portal's tokens? One at a time, with a number that later ones exceed.
-- KEYS: tokens, lock
-- ARGV: owner, lock's life in milliseconds
-- Returns the owner's epoch, the same one if it asks again; 0 if somebody else has the lock. One
-- that has longer to live than any lock was given by a clock that has been put right since, and
-- nobody can have it any more; should somebody, the epoch keeps his tokens from being stored.
local holder = redis.call('GET', KEYS[2])
if holder and redis.call('PTTL', KEYS[2]) <= tonumber(ARGV[2]) then
    local epoch, owner = string.match(holder, '^(%d+):(.*)$')
    if owner == ARGV[1] then
        return tonumber(epoch)
    end
    return 0
end
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('SET', KEYS[2], epoch .. ':' .. ARGV[1], 'PX', ARGV[2])
return epoch
