-- How many each agency held in each facility at the first moment of each day, UTC: a row for each
-- day from which on the number is another. Reads custody_period.
--
-- A day is counted from 1970-01-01. Who is on the way is her sender's, in no facility ('').
CREATE TABLE census AS
WITH stay AS (
    SELECT agency, facility_key, from_us, to_us FROM custody_period WHERE status <> 'ended'
),
-- The first day that begins at an instant or after it; whole days are added, because a remainder of
-- a negative number is negative.
step AS (
    SELECT agency, facility_key, 1 AS change,
        CAST((from_us + 8640000000000000 + 86399999999
            - (from_us + 8640000000000000 + 86399999999) % 86400000000) / 86400000000 AS BIGINT)
            - 100000 AS day
    FROM stay
    UNION ALL
    SELECT agency, facility_key, -1,
        CAST((to_us + 8640000000000000 + 86399999999
            - (to_us + 8640000000000000 + 86399999999) % 86400000000) / 86400000000 AS BIGINT)
            - 100000
    FROM stay WHERE to_us < 9223372036854775807
),
daily AS (
    SELECT agency, facility_key, day, sum(change) AS change FROM step
    GROUP BY agency, facility_key, day
    HAVING sum(change) <> 0
)
SELECT agency, facility_key, day, CAST(sum(change) OVER (
    PARTITION BY agency, facility_key ORDER BY day ROWS UNBOUNDED PRECEDING
) AS BIGINT) AS persons
FROM daily;
