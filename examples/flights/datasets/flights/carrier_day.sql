/*
description: Delays and cancellations by carrier and day
time: day
key: [day, carrier]
*/
SELECT
  date_trunc('day', f.time_hour) AS day,
  f.carrier,
  a.name AS airline,
  count(*) AS flights,
  count(*) FILTER (WHERE f.status = 'cancelled') AS cancelled,
  count(*) FILTER (WHERE f.late) AS late,
  sum(f.dep_delay) AS dep_delay_minutes,
  round(avg(f.dep_delay), 2) AS dep_delay_mean,
  percentile_disc(0.9) WITHIN GROUP (ORDER BY f.dep_delay) AS dep_delay_p90
FROM flights_clean f
LEFT JOIN airlines_raw a ON a.carrier = f.carrier
WHERE f.time_hour >= :start AND f.time_hour < :end
GROUP BY 1, f.carrier, a.name
