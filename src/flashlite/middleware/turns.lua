-- The processes of a pool take turns: who waits has a ticket, and only the first is let in. A
-- ticket of a process that says nothing more is void after LEASE seconds. `line` is one event loop
-- of one process. Times are Redis's own.

local state, queue = KEYS[1], KEYS[2]
local said = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6

local LEASE = 3
local NEXT = 0.005 -- seconds after which the next in the queue sees that it is its turn
local PATIENCE = 0.25 -- seconds until one looks whether others have given something back

local function leave(line)
    redis.call('ZREM', queue, line)
    redis.call('HDEL', state, 'l:' .. line)
end

-- Return the line whose turn it is, and what its first caller asks for.
local function first()
    while true do
        local line = redis.call('ZRANGE', queue, 0, 0)[1]
        if not line then
            return nil
        end
        local ticket = redis.call('HGET', state, 'l:' .. line)
        if ticket then
            ticket = cmsgpack.unpack(ticket)
            if ticket[1] > now then
                return line, ticket[2]
            end
        end
        leave(line)
    end
end

-- Take a ticket for the next caller: at the end of the queue, or where one's own has been.
local function wait_in_queue(line, amount, at_end)
    if at_end or not redis.call('ZSCORE', queue, line) then
        redis.call('ZADD', queue, redis.call('HINCRBY', state, 'tickets', 1), line)
    end
    redis.call('HSET', state, 'l:' .. line, cmsgpack.pack({now + LEASE, amount}))
end

-- Return the seconds until a line is to ask again, when its first in the queue fits at a moment.
local function pause(line, opens)
    local rank = redis.call('ZRANK', queue, line)
    local until_open = math.max(0, opens - now)
    return math.min(until_open + NEXT * math.max(rank, 0.2), PATIENCE * (1 + rank / 4), LEASE / 3)
end
