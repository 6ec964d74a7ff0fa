-- What says who holds a person, each with what held just before it. Reads fact.
--
-- effect: 'held' by an agency from then on, 'sent' on the way to another, 'ended', 'out' of a
-- facility but still in custody, 'away' at a hospital or court, 'refused' by the receiver,
-- 'referred' to ORR. The first three begin a state whatever held before; `state` counts them.
CREATE TABLE movement AS
WITH told AS (
    SELECT f.*, CASE
        WHEN kind IN ('Apprehended', 'BookedIn', 'Placed', 'TransferArrived',
            'ReturnedFromProsecution', 'ReturnedToFacility') THEN 'held'
        WHEN kind = 'Reunified' AND has_facility = 1 THEN 'held'
        WHEN kind = 'TransferDeparted' THEN 'sent'
        WHEN kind IN ('Released', 'Absconded', 'Died', 'Removed', 'Reunified') THEN 'ended'
        WHEN kind = 'BookedOut' THEN 'out'
        WHEN kind IN ('Hospitalized', 'TakenToCourt') THEN 'away'
        WHEN kind = 'TransferRefused' THEN 'refused'
        WHEN kind = 'ReferredToOrr' THEN 'referred'
        END AS effect
    FROM fact f
    -- In another role somebody is only named: a sponsor, a relative in a hand-over, a parent. Where
    -- a family is free, the adult's custody ends by a release of her own.
    WHERE role IN ('person_id', 'person_ids', 'child_id')
        OR (kind = 'Reunified' AND role = 'adult_ids' AND has_facility = 1)
),
-- Who has arrived did not leave afterwards by the same hand-over: clocks differ.
arrived AS (
    SELECT person, transfer_id, min(n) AS n FROM told
    WHERE kind = 'TransferArrived' GROUP BY person, transfer_id
),
moved AS (
    SELECT t.person, t.bucket, t.n, t.event_id, t.kind, t.effective_us, t.agency, t.to_agency,
        CASE WHEN t.effect IN ('held', 'out') THEN t.facility_key ELSE '' END AS facility_key,
        t.effect,
        CASE WHEN t.effect IN ('held', 'sent', 'ended') THEN 1 ELSE 0 END AS begins,
        CASE WHEN t.effect = 'ended' OR (t.effect IN ('held', 'sent') AND t.agency = 'ORR')
            THEN 1 ELSE 0 END AS settles_referral
    FROM told t
    LEFT JOIN arrived a ON a.person = t.person AND a.transfer_id = t.transfer_id AND a.n < t.n
        AND t.kind = 'TransferDeparted'
    WHERE t.effect IS NOT NULL AND a.person IS NULL
),
numbered AS (
    SELECT m.*,
        sum(begins) OVER (
            PARTITION BY person ORDER BY n ROWS UNBOUNDED PRECEDING) AS state,
        coalesce(sum(settles_referral) OVER (
            PARTITION BY person ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
            AS referrals
    FROM moved m
),
begun AS (
    SELECT person, state, effect, agency, to_agency, facility_key FROM numbered WHERE begins = 1
),
before AS (
    SELECT m.*, b.effect AS before_effect, b.agency AS before_agency,
        b.to_agency AS before_to_agency, b.facility_key AS before_facility_key
    FROM numbered m
    LEFT JOIN begun b ON b.person = m.person AND b.state = m.state - m.begins
)
SELECT b.*, coalesce(max(
        CASE WHEN effect = 'referred'
            AND NOT (before_agency = 'ORR' AND coalesce(before_effect, '') = 'held')
            THEN 1 ELSE 0 END
    ) OVER (
        PARTITION BY person, referrals ORDER BY n
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS is_referred
FROM before b;
