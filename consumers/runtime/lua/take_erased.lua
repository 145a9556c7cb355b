#!lua flags=allow-oom
-- How many unread entries were erased on request, by the note in the lease KEYS[1]; takes it away.
local count = redis.call('HGET', KEYS[1], 'erased')
if count then
  redis.call('HDEL', KEYS[1], 'erased')
end
return tonumber(count or 0)
