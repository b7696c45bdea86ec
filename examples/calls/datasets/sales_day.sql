/*
description: Sales of a day (made up, so that the example needs no source)
time: day
key: [day]
*/
SELECT d AS day, extract(day FROM d)::int * 100 AS amount
FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
