/*
description: Punctuality by route and day
time: day
key: [day, origin, dest]
*/
SELECT
  date_trunc('day', f.time_hour) AS day,
  f.origin,
  f.dest,
  a.name AS dest_name, -- not known for four airports in Puerto Rico and the Virgin Islands
  count(*) AS flights,
  count(*) FILTER (WHERE f.status = 'flown') AS flown,
  count(*) FILTER (WHERE f.status = 'flown' AND NOT f.late) AS on_time,
  round(100.0 * count(*) FILTER (WHERE f.status = 'flown' AND NOT f.late) / count(*), 1) AS punctual_percent,
  round(avg(f.air_time), 1) AS air_minutes_mean
FROM flights_clean f
LEFT JOIN airports_raw a ON a.faa = f.dest
WHERE f.time_hour >= :start AND f.time_hour < :end
GROUP BY 1, f.origin, f.dest, a.name
