-- Append ARGV[2] events to the stream KEYS[1], numbered from ARGV[1] + 1 on, a hundred for each second
-- from the millisecond ARGV[3] on, of ARGV[4] portals in turn; each has an id of its entry's time.
local first, count, start = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local portals = tonumber(ARGV[4])
for number = first + 1, first + count do
  local ms = start + number * 10
  local high = math.floor(ms / 65536)
  local id = string.format('%08x-%04x-7000-8000-%012x', high, ms - high * 65536, number)
  local portal = number % portals
  local event = '{"specversion":"1.0","id":"' .. id .. '","source":"urn:bitrix24:portal",'
    .. '"type":"bitrix24.crm.timeline.comment.updated","subject":"comment/' .. number .. '",'
    .. '"time":"' .. ARGV[5] .. '","receivedat":"' .. ARGV[5] .. '",'
    .. '"datacontenttype":"application/json","data":{"comment_id":' .. number
    .. ',"member_id":"m' .. portal .. '","domain":"p' .. portal .. '.example"}}'
  redis.call('XADD', KEYS[1], string.format('%.0f-0', ms), 'event', event)
end
