-- An invitation that led to a token ends when that is first used; one that was made since does not,
-- nor with a renewal (`prove` in roaming_ocpi/registration/store.py). Those of before that were used
-- end within five minutes.
ALTER TABLE roaming_token ADD COLUMN is_spent boolean NOT NULL DEFAULT false
    CHECK (NOT is_spent OR kind = 'invitation');
UPDATE roaming_token SET is_spent = true
WHERE kind = 'invitation' AND expires_at <= now() + interval '5 minutes';
