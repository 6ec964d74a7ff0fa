-- Whose history says more than one set of rows can: why she is left out. Reads event, subject,
-- basis, fact and movement.
--
-- linked: her record was linked with another as of one person. disputed: an agency takes, sends or
-- lets go somebody whom another one holds and has neither handed over nor referred; the ledger
-- keeps both and says so. refused: a receiver sent her back, to what had held before. zones: what
-- is settled by what is itself settled, over days that begin at different moments.
CREATE TABLE not_compared AS
WITH disputed AS (
    SELECT * FROM movement
    WHERE (is_disputable = 1
            AND before_effect IN ('held', 'sent') AND before_agency <> agency
            AND NOT (before_effect = 'sent' AND before_to_agency = agency))
        OR (effect = 'away' AND NOT (coalesce(before_effect, '') IN ('held', 'sent')
            AND coalesce(before_agency, '') = agency))
),
-- ORR may let go whom it was to take, and whom it did not hold when she was referred.
referred AS (
    SELECT DISTINCT d.person_key, d.n
    FROM disputed d
    JOIN movement r ON r.person_key = d.person_key AND r.effect = 'referred' AND r.n < d.n
        AND r.referrals = d.referrals - 1  -- its own, because it ends the referral, too
        AND NOT (coalesce(r.before_effect, '') = 'held' AND r.before_agency = 'ORR')
    WHERE d.agency = 'ORR' AND d.effect <> 'away'
)
SELECT DISTINCT s.subject_key AS person_key, 'linked' AS reason
FROM event e
JOIN basis b ON e.position <= b.size
JOIN subject s ON s.position = e.position AND s.subject_kind = 'person'
WHERE e.kind = 'PersonsLinkedAsSame'
UNION
SELECT person_key, 'refused' FROM movement WHERE effect = 'refused'
UNION
SELECT d.person_key, 'disputed' FROM disputed d
LEFT JOIN referred r ON r.person_key = d.person_key AND r.n = d.n
WHERE r.n IS NULL
UNION
SELECT t.person_key, 'zones'
FROM (SELECT person_key FROM fact GROUP BY person_key HAVING min(zone) < max(zone)) z
JOIN fact t ON t.person_key = z.person_key AND t.precision > 1
JOIN fact o ON o.person_key = t.person_key AND o.rank < t.rank
    AND o.kind NOT IN ('PersonsLinkedAsSame', 'PersonsUnlinked')
    AND (
        (o.effective_us > t.effective_us AND (
            (o.precision = t.precision AND o.civil = t.civil AND o.civil > 0)
            OR (o.precision < t.precision AND o.effective_us < t.valid_until_us)))
        OR (o.precision < t.precision AND o.effective_us >= t.valid_until_us
            AND o.valid_us > t.valid_us AND o.valid_us < t.valid_until_us)
    );
