-- Every play that gold must count: those accepted according to the ledgers and not erased, and
-- silver's other plays.
CREATE OR REPLACE VIEW ledger_truth AS
SELECT event_time, country, song_id, is_counted, ms_played
FROM ledger_rows
LEFT JOIN ledger_unsure AS unsure USING (ledger, number)
ANTI JOIN silver_erased USING ("partition", "offset")
WHERE place = 'covered' AND coalesce(unsure.is_accepted, answer = 'accepted')
UNION ALL
SELECT epoch_ms(event_time), country, song_id, is_counted, ms_played
FROM silver_plays
ANTI JOIN ledger_records USING ("partition", "offset")
