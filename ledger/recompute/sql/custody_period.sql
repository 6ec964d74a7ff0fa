-- Who held each person, where, over which stretch of valid time; and from when custody had ended.
-- Reads movement and not_compared.
--
-- status: 'held', 'in_transfer' (the sender answers for her until she arrives) or 'ended'. A stretch
-- goes from from_us up to, and without, to_us; the last has no end and 9223372036854775807.
CREATE TABLE custody_period AS
WITH left_facility AS (
    -- The first that fits: she was there, and is in custody still. Where to is not said.
    SELECT person, state, min(n) AS n FROM movement
    WHERE effect = 'out' AND before_effect = 'held'
        AND before_agency = agency AND before_facility_key = facility_key
    GROUP BY person, state
),
begun AS (
    SELECT person, bucket, n, effective_us, agency, facility_key, CASE effect
        WHEN 'held' THEN 'held' WHEN 'sent' THEN 'in_transfer' ELSE 'ended' END AS status
    FROM movement WHERE begins = 1
    UNION ALL
    SELECT m.person, m.bucket, m.n, m.effective_us, m.agency, '', 'held'
    FROM movement m
    JOIN left_facility l ON l.person = m.person AND l.n = m.n
),
-- Of what took effect at one moment the last holds.
last AS (
    SELECT b.*, row_number() OVER (PARTITION BY person, effective_us ORDER BY n DESC) AS back
    FROM begun b
),
turned AS (
    SELECT l.person, l.bucket, l.effective_us, l.status, l.agency, l.facility_key, CASE
        WHEN status = lag(status) OVER same AND agency = lag(agency) OVER same
            AND facility_key = lag(facility_key) OVER same THEN 0 ELSE 1 END AS is_new
    FROM last l WHERE back = 1
    WINDOW same AS (PARTITION BY person ORDER BY effective_us)
)
SELECT t.person, t.bucket, t.effective_us AS from_us,
    coalesce(lead(t.effective_us) OVER (PARTITION BY t.person ORDER BY t.effective_us),
        9223372036854775807) AS to_us,
    t.status, t.agency, t.facility_key
FROM turned t
LEFT JOIN (SELECT DISTINCT person FROM not_compared) x ON x.person = t.person
WHERE t.is_new = 1 AND x.person IS NULL;
