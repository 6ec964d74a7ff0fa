-- Each separation of a child from adults up to an instant, and whether a reunification has ended it.
-- Reads fact, subject, basis and not_compared.
--
-- Only a reunification ends a separation, and only with every adult whom it names; one that names no
-- adult, or that ends a separation that names none, is with those she was taken from.
CREATE TABLE separation AS
WITH told AS (
    SELECT f.person, f.bucket, f.n, f.position, f.event_id, f.kind, f.effective_us
    FROM fact f
    JOIN basis b ON f.effective_us <= b.as_of_us
    LEFT JOIN (SELECT DISTINCT person FROM not_compared WHERE reason IN ('linked', 'zones')) x
        ON x.person = f.person
    WHERE f.kind IN ('Separated', 'Reunified') AND f.role = 'child_id' AND x.person IS NULL
),
adult AS (
    SELECT DISTINCT t.person, t.n, t.kind, s.subject AS adult
    FROM told t
    JOIN subject s ON s.position = t.position AND s.role = 'adult_ids'
),
counted AS (
    SELECT person, n, count(*) AS adults FROM adult GROUP BY person, n
),
apart AS (
    SELECT t.*, coalesce(c.adults, 0) AS adults
    FROM told t LEFT JOIN counted c ON c.person = t.person AND c.n = t.n
    WHERE t.kind = 'Separated'
),
again AS (
    SELECT t.person, t.n, coalesce(c.adults, 0) AS adults
    FROM told t LEFT JOIN counted c ON c.person = t.person AND c.n = t.n
    WHERE t.kind = 'Reunified'
),
-- The last reunification that is with those she was taken from, and the last with anybody.
whole AS (
    SELECT person, max(CASE WHEN adults = 0 THEN n ELSE 0 END) AS with_all, max(n) AS with_any
    FROM again GROUP BY person
),
rejoined AS (
    SELECT a.person, a.n, count(DISTINCT a.adult) AS adults
    FROM adult a
    JOIN adult r ON r.person = a.person AND r.adult = a.adult AND r.kind = 'Reunified' AND r.n > a.n
    WHERE a.kind = 'Separated'
    GROUP BY a.person, a.n
)
SELECT a.person, a.bucket, a.event_id, a.effective_us AS since_us, CASE
        WHEN w.with_all > a.n THEN 1
        WHEN a.adults = 0 AND w.with_any > a.n THEN 1
        WHEN a.adults > 0 AND r.adults = a.adults THEN 1
        ELSE 0 END AS is_reunified
FROM apart a
LEFT JOIN whole w ON w.person = a.person
LEFT JOIN rejoined r ON r.person = a.person AND r.n = a.n;
