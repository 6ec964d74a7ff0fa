-- Whom each agency answers for as of an instant, and where: those in custody, on the way or not.
-- Reads custody_period and basis.
CREATE TABLE in_care AS
SELECT p.person_key, p.agency, p.facility_key
FROM custody_period p
JOIN basis b ON p.from_us <= b.as_of_us AND p.to_us > b.as_of_us
WHERE p.status <> 'ended';
