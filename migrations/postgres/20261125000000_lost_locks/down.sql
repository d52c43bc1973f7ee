DROP TABLE lost_locks;
