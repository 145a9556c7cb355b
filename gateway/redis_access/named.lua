-- A function of scripts: named(reply) is the table of a reply that lists names and values in turn.
local function named(reply)
  local values = {}
  for i = 1, #reply, 2 do
    values[reply[i]] = reply[i + 1]
  end
  return values
end
