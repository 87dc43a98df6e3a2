-- How many plays there are: distinct identities of accepted records.
SELECT count(*) AS winners
FROM (SELECT DISTINCT user_id, event_id, event_time // 86400000 FROM judged WHERE reason IS NULL)
