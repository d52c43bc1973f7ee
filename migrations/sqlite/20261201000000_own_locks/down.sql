-- Nothing to take back: a run that looks once more is as it was.
SELECT 1;
