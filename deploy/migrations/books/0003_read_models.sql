-- How far each projection has followed the notifications of the decisions (schema decisions).
CREATE TABLE projection_position (
    name            text   PRIMARY KEY,
    notification_id bigint NOT NULL
);
