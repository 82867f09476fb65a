-- The processes of a pool take turns: each waiting line has a ticket, and only the first is let in.
-- The ticket of a silent process is void after LEASE seconds. `line` is one event loop of one
-- process. A look takes no turn. `turns.py` does the same in Python.

local LEASE = 3
local NEXT = 0.005 -- seconds after which the next in the queue sees that it is its turn
local PATIENCE = 0.25 -- seconds until one looks whether others have given something back
local FORGOTTEN = 180 -- seconds after which a line that says nothing is not listed any more

-- Return {line, seconds silent, waiting calls, machine, process, program} for each line.
local function everybody()
    local found, known = {}, redis.call('HGETALL', lines)
    for i = 1, #known, 2 do
        local spoke = cmsgpack.unpack(known[i + 1])
        if now - spoke[1] < FORGOTTEN then
            table.insert(found, {known[i], now - spoke[1], spoke[2], unpack(spoke[3])})
        else
            redis.call('HDEL', lines, known[i])
        end
    end
    return found
end

-- Record a line, its process, its waiting calls, and the report to remember.
local function enlist(line, waiting, told)
    local spoke = cmsgpack.pack({now, waiting, said.who, told})
    if redis.call('HSET', lines, line, spoke) == 1 then
        redis.call('SADD', rooms, ARGV[2])
        everybody()
    end
end

-- Return a line's last report, or nil if it is unknown.
local function told_by(line)
    local spoke = redis.call('HGET', lines, line)
    return spoke and cmsgpack.unpack(spoke)[4]
end

local function leave(line)
    redis.call('ZREM', queue, line)
    redis.call('HDEL', state, 'l:' .. line)
end

-- Return the line whose turn it is and the amount its first caller asks for.
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

-- Take a ticket for the line's next caller: at the end of the queue, or in its present place.
local function wait_in_queue(line, amount, at_end)
    if at_end or not redis.call('ZSCORE', queue, line) then
        redis.call('ZADD', queue, redis.call('HINCRBY', state, 'tickets', 1), line)
    end
    redis.call('HSET', state, 'l:' .. line, cmsgpack.pack({now + LEASE, amount}))
end

-- Return the seconds until a line should ask again; `opens` is when the first in the queue will
-- fit.
local function pause(line, opens)
    local rank = redis.call('ZRANK', queue, line)
    local until_open = math.max(0, opens - now)
    return math.min(until_open + NEXT * math.max(rank, 0.2), PATIENCE * (1 + rank / 4), LEASE / 3)
end
