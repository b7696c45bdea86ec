/*
description: Each departure with the weather of its hour and how busy its airport was
time: time_hour
key: [time_hour, carrier, flight, origin]
*/
SELECT
  f.time_hour,
  f.carrier,
  f.flight,
  f.origin,
  f.status,
  f.dep_delay,
  s.departures AS departures_in_hour,
  w.temp,
  w.wind_speed,
  w.precip,
  w.visib,
  CASE
    WHEN w.origin IS NULL THEN 'unknown'
    WHEN w.visib < 3 THEN 'low visibility'
    WHEN w.precip > 0 THEN 'rain or snow'
    WHEN w.wind_speed >= 20 THEN 'windy'
    ELSE 'fair'
  END AS conditions
FROM flights_clean f
JOIN schedule_raw s
  ON s.time_hour = f.time_hour AND s.origin = f.origin AND s.time_hour >= :start AND s.time_hour < :end
LEFT JOIN weather_raw w
  ON w.time_hour = f.time_hour AND w.origin = f.origin AND w.time_hour >= :start AND w.time_hour < :end
WHERE f.time_hour >= :start AND f.time_hour < :end
