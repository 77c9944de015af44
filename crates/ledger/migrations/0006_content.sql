-- Prompts and answers, where the configuration has them captured: redacted, cut to a length, and only until `expires_at`
-- (microseconds since 1970). `content` is JSON.
CREATE TABLE content (
    id         TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    content    TEXT NOT NULL
);

CREATE INDEX content_expires ON content (expires_at);
