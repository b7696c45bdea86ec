/*
description: What weather costs at each airport, against its hours of fair weather
tags: [mart]
grain: none
key: [origin, conditions]
*/
WITH by_conditions AS (
  SELECT
    origin,
    conditions,
    count(*) AS flights,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    avg(dep_delay) AS dep_delay
  FROM flights_weather
  WHERE time_hour >= :start AND time_hour < :end
  GROUP BY origin, conditions
)
SELECT
  c.origin,
  c.conditions,
  c.flights,
  round(100.0 * c.cancelled / c.flights, 2) AS cancelled_percent,
  round(c.dep_delay, 2) AS dep_delay_mean,
  round(c.dep_delay - fair.dep_delay, 2) AS dep_delay_added
FROM by_conditions c
LEFT JOIN by_conditions fair ON fair.origin = c.origin AND fair.conditions = 'fair'
