-- What stands of each person, as known at a size, and when it took effect.
--
-- Reads event, subject and basis (as_of_us, size). An event that a known one retracts does not
-- stand. Events take effect in the order of their valid time; what is stated only to the minute,
-- hour, day or month takes effect behind what is stated more finely, or alike, within that unit and
-- stands before it in the declared order of kinds (rank).
CREATE TABLE fact AS
WITH known AS (
    SELECT e.* FROM event e JOIN basis b ON e.position <= b.size
),
voided AS (
    SELECT DISTINCT retracted_event_id AS event_id FROM known WHERE kind = 'Retracted'
),
standing AS (
    SELECT k.* FROM known k LEFT JOIN voided v ON v.event_id = k.event_id
    WHERE v.event_id IS NULL
),
told AS (
    SELECT s.subject_key AS person_key, s.role, k.position, k.kind, k.rank, k.valid_us,
        k.valid_until_us, k.precision, k.zone, k.day, k.civil, k.agency, k.to_agency,
        k.facility_key, k.has_facility
    FROM standing k
    JOIN subject s ON s.position = k.position AND s.subject_kind = 'person'
),
-- Whose events are all stated alike, for her nothing is to be settled.
mixed AS (
    SELECT person_key, CASE WHEN min(zone) < max(zone) THEN 1 ELSE 0 END AS has_zones
    FROM told GROUP BY person_key
    HAVING min(precision) < max(precision) OR min(zone) < max(zone)
),
unsettled AS (
    SELECT t.person_key, t.position, t.kind, t.rank, t.valid_us, t.valid_until_us, t.precision,
        t.day, t.civil, m.has_zones
    FROM told t JOIN mixed m ON m.person_key = t.person_key
),
others AS (
    SELECT * FROM unsettled WHERE kind NOT IN ('PersonsLinkedAsSame', 'PersonsUnlinked')
),
-- In one zone, what is within a day or less has that day; otherwise everything is looked at.
pair AS (
    SELECT t.person_key, t.position, o.valid_us
    FROM unsettled t
    JOIN others o ON o.person_key = t.person_key AND o.day = t.day AND o.rank < t.rank
        AND (o.precision = t.precision AND o.civil = t.civil AND o.civil > 0
            OR o.precision < t.precision
                AND o.valid_us > t.valid_us AND o.valid_us < t.valid_until_us)
    WHERE t.precision BETWEEN 2 AND 4 AND t.has_zones = 0
    UNION ALL
    SELECT t.person_key, t.position, o.valid_us
    FROM unsettled t
    JOIN others o ON o.person_key = t.person_key AND o.rank < t.rank
        AND (o.precision = t.precision AND o.civil = t.civil AND o.civil > 0
            OR o.precision < t.precision
                AND o.valid_us > t.valid_us AND o.valid_us < t.valid_until_us)
    WHERE t.precision > 4 OR (t.precision > 1 AND t.has_zones = 1)
),
settled AS (
    SELECT person_key, position, max(valid_us) AS settled_us FROM pair
    GROUP BY person_key, position
)
SELECT t.person_key, t.role, t.position, t.kind, t.rank, t.valid_us, t.valid_until_us, t.precision,
    t.zone, t.civil, t.agency, t.to_agency, t.facility_key, t.has_facility,
    CASE WHEN s.settled_us > t.valid_us THEN s.settled_us ELSE t.valid_us END AS effective_us
FROM told t
LEFT JOIN settled s ON s.person_key = t.person_key AND s.position = t.position;
