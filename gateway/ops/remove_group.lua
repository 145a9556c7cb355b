#!lua flags=allow-oom
-- Remove the group ARGV[1] from the streams of a partition, and all that it has there, unless a process
-- holds its lease KEYS[1]: then nothing is removed, and the owner is returned. KEYS from 2 on: the
-- streams, as many as ARGV[2] says, then the keys that are deleted; the lease goes last.
-- Idempotent. All or nothing: what may be refused is asked for first.
-- uses: refused
local time = redis.call('TIME')
local lease = redis.call('HMGET', KEYS[1], 'owner', 'until')
if lease[1] and tonumber(lease[2] or 0) > time[1] * 1000 + math.floor(time[2] / 1000) then
  return lease[1]
end
local last = 1 + ARGV[2]
for i = 2, last do
  local error = refused('XGROUP', 'DESTROY', KEYS[i], ARGV[1])
  if error then
    return error
  end
end
local error = refused('DEL', KEYS[1])
if error then
  return error
end
for i = 2, last do
  local done = redis.pcall('XGROUP', 'DESTROY', KEYS[i], ARGV[1])
  if type(done) == 'table' and done.err and not string.find(done.err, 'requires the key to exist', 1, true) then
    return done
  end
end
for i = last + 1, #KEYS do
  redis.call('DEL', KEYS[i])
end
redis.call('DEL', KEYS[1])
return ''
