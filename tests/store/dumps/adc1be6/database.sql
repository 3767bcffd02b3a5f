SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA keys;
CREATE FUNCTION public.only_added_to() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'table % is only added to', TG_TABLE_NAME;
END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE keys.audio_key (
    audio_id text NOT NULL,
    wrapped bytea NOT NULL
);
CREATE TABLE public.access (
    seq bigint NOT NULL,
    audio_id text NOT NULL,
    what text NOT NULL,
    operator text NOT NULL,
    host text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT access_what_check CHECK ((what = ANY (ARRAY['fetch'::text, 'destroy'::text, 'hold'::text, 'release'::text])))
);
ALTER TABLE public.access ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.access_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.attempt (
    message_id text NOT NULL,
    recipient text NOT NULL,
    n integer NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    server text,
    result text NOT NULL,
    reply text,
    tls text
);
CREATE TABLE public.audio (
    audio_id text NOT NULL,
    kind text NOT NULL,
    call_id uuid NOT NULL,
    owner text NOT NULL,
    node text NOT NULL,
    state text DEFAULT 'recorded'::text NOT NULL,
    why text,
    began timestamp with time zone NOT NULL,
    ended timestamp with time zone,
    how text,
    seconds numeric(12,3),
    bytes bigint,
    sha256 text,
    cipher_sha256 text,
    destroy_after timestamp with time zone,
    reason text,
    hold text,
    lease_until timestamp with time zone,
    leased_by text,
    attempts integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT a_recording_has_an_end CHECK (((kind <> 'recording'::text) OR (destroy_after IS NOT NULL))),
    CONSTRAINT audio_kind_check CHECK ((kind = ANY (ARRAY['message'::text, 'recording'::text]))),
    CONSTRAINT audio_state_check CHECK ((state = ANY (ARRAY['recorded'::text, 'stored'::text, 'shredded'::text, 'destroyed'::text, 'absent'::text])))
);
CREATE TABLE public.call (
    call_id uuid NOT NULL,
    number text NOT NULL,
    owner text NOT NULL,
    caller text,
    withheld boolean NOT NULL,
    began timestamp with time zone NOT NULL,
    answered timestamp with time zone,
    ended timestamp with time zone NOT NULL,
    ring_seconds numeric(12,3) NOT NULL,
    talk_seconds numeric(12,3) NOT NULL,
    delivered_to text,
    outcome text NOT NULL,
    ended_by text NOT NULL,
    cause integer,
    recording_id text,
    message_id text,
    node text NOT NULL,
    rev bigint NOT NULL,
    notice jsonb,
    CONSTRAINT no_number_of_a_withheld_caller CHECK (((NOT withheld) OR (caller IS NULL)))
);
CREATE TABLE public.drained (
    node text NOT NULL,
    segment text NOT NULL,
    byte bigint NOT NULL,
    drained_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.leg (
    call_id uuid NOT NULL,
    place integer NOT NULL,
    leg_id text NOT NULL,
    destination text NOT NULL,
    began timestamp with time zone NOT NULL,
    ringing timestamp with time zone,
    answered timestamp with time zone,
    ended timestamp with time zone,
    outcome text NOT NULL,
    cause integer
);
CREATE TABLE public.legal_hold (
    audio_id text NOT NULL,
    held_at timestamp with time zone DEFAULT now() NOT NULL,
    reason text NOT NULL,
    reference text NOT NULL,
    by_one text NOT NULL,
    by_other text NOT NULL,
    review_on date NOT NULL,
    released_at timestamp with time zone,
    released_by text,
    CONSTRAINT legal_hold_check CHECK ((by_other <> by_one))
);
CREATE TABLE public.message (
    message_id text NOT NULL,
    kind text NOT NULL,
    call_id uuid NOT NULL,
    owner text NOT NULL,
    number text NOT NULL,
    caller text,
    withheld boolean NOT NULL,
    began timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    deliver jsonb NOT NULL,
    state text DEFAULT 'recorded'::text NOT NULL,
    why text,
    or_missed boolean DEFAULT false NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT message_kind_check CHECK ((kind = ANY (ARRAY['voicemail'::text, 'missed'::text]))),
    CONSTRAINT message_state_check CHECK ((state = ANY (ARRAY['recorded'::text, 'waiting'::text, 'accepted'::text, 'bounced'::text, 'undeliverable'::text, 'destroyed'::text, 'absent'::text]))),
    CONSTRAINT no_number_of_a_withheld_caller CHECK (((NOT withheld) OR (caller IS NULL)))
);
CREATE TABLE public.migration (
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.outbox (
    message_id text NOT NULL,
    recipient text NOT NULL,
    turn integer DEFAULT 1 NOT NULL,
    domain text NOT NULL,
    dated timestamp with time zone NOT NULL,
    first_at timestamp with time zone DEFAULT now() NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_until timestamp with time zone,
    leased_by text,
    attempts integer DEFAULT 0 NOT NULL,
    accepted_at timestamp with time zone,
    final boolean,
    refused_at timestamp with time zone,
    bounced_at timestamp with time zone,
    reply text,
    tls text
);
CREATE TABLE public.recording (
    audio_id text NOT NULL,
    format text NOT NULL,
    ended timestamp with time zone NOT NULL,
    keep_seconds bigint NOT NULL,
    evidence jsonb NOT NULL,
    short_by numeric(12,3),
    one_way text,
    silent boolean,
    clipping boolean,
    CONSTRAINT recording_format_check CHECK ((format = ANY (ARRAY['wav'::text, 'flac'::text, 'mp3'::text, 'opus'::text]))),
    CONSTRAINT recording_keep_seconds_check CHECK ((keep_seconds > 0)),
    CONSTRAINT recording_one_way_check CHECK ((one_way = ANY (ARRAY['caller'::text, 'destination'::text])))
);
CREATE TABLE public.retention (
    node text NOT NULL,
    owner text NOT NULL,
    keep_seconds bigint NOT NULL,
    shortened_at timestamp with time zone
);
CREATE TABLE public.set_aside (
    call_id text NOT NULL,
    rev bigint NOT NULL,
    node text NOT NULL,
    why text NOT NULL,
    entries text NOT NULL,
    put_here timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.tls_seen (
    domain text NOT NULL,
    last text NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.tombstone (
    seq bigint NOT NULL,
    audio_id text NOT NULL,
    kind text NOT NULL,
    owner text NOT NULL,
    began timestamp with time zone NOT NULL,
    destroy_after timestamp with time zone,
    destroyed_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    method text NOT NULL,
    versions integer NOT NULL,
    cipher_sha256 text,
    prev text NOT NULL,
    hash text NOT NULL
);
INSERT INTO keys.audio_key VALUES ('018f0000-0000-7000-8000-000000000005-vm1', '\x18a66782ad301e2411a97fcae1d167fe1c437379cf5af74b7f53f9f6ba60877866d7bfef6473cc803bacb145c36e517813d9067efba979fd29cf2166046dc944');
INSERT INTO keys.audio_key VALUES ('018f0000-0000-7000-8000-000000000008-vm1', '\x18a6678211dddb4c0307f9966eff1d94294658ae7a2c3f845e944e25e5690d5774905f00e534f37c4bff971abe8cdc879400c912d66c5551a51f6de2ceacc3aa');
INSERT INTO keys.audio_key VALUES ('018f0000-0000-7000-8000-000000000009-vm1', '\x18a66782167e4ee2587ebec7e22b916d2f83843c107abd4e98b252f39fb0e9a49cc68cc21e83e25f4ffee18d8e08e5940c7c7c184edff4a8d5e8dac297a6a6d5');
INSERT INTO keys.audio_key VALUES ('018f0000-0000-7000-8000-00000000000a-rec1', '\x18a66782a407080d3f6ec98600677fd88017db86c52da2ab941e6221e60ad63953c80c59cdf1dd373bfb5e7daf905e7a40f06ff6b1b73577038adefe36f8b5f2');
INSERT INTO keys.audio_key VALUES ('018f0000-0000-7000-8000-00000000000c-rec1', '\x18a66782a28e06e941bac8a14fad1ede9ed0fe5ba73daf022575f0ed92c7fbf1f3019333a0237d9b14895627b64c309d80f98a8b4a88a701b9cde0913a931502');
INSERT INTO public.access OVERRIDING SYSTEM VALUE VALUES (1, '018f0000-0000-7000-8000-00000000000c-rec1', 'fetch', 'root', 'vm', '2026-11-28 06:22:27.736736+00');
INSERT INTO public.attempt VALUES ('018f0000-0000-7000-8000-000000000006-vm1', 'office6@own.example', 1, '2026-11-28 06:22:27.703173+00', 'localhost', 'accepted', '250 2.0.0 taken', 'none');
INSERT INTO public.attempt VALUES ('018f0000-0000-7000-8000-000000000008-vm1', 'office8@later.example', 1, '2026-11-28 06:22:27.717233+00', 'localhost', 'later', '451 4.3.0 later', 'none');
INSERT INTO public.attempt VALUES ('018f0000-0000-7000-8000-000000000009-vm1', 'office9@refused.example', 1, '2026-11-28 06:22:27.729354+00', 'localhost', 'refused', '550 5.1.1 nobody', 'none');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-000000000005-vm1', 'message', '018f0000-0000-7000-8000-000000000005', 'acme', 'here', 'stored', NULL, '2026-11-24 12:00:10+00', '2026-11-24 12:00:12+00', 'hangup', 1.200, 19244, '8dcab89c020d2fa396e5ec5707a014e1de181a62d5fe95acc735ebdf83352ef2', '234ad2477ebd5db06f58195a248103f5da2ac7777e76c1a845382700514c054f', NULL, NULL, NULL, NULL, 'here', 0, '2026-11-28 06:22:27.557505+00', '2026-11-28 06:22:27.464105+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-000000000008-vm1', 'message', '018f0000-0000-7000-8000-000000000008', 'acme', 'here', 'stored', NULL, '2026-11-24 12:00:13+00', '2026-11-24 12:00:15+00', 'hangup', 1.200, 19244, 'e3037a8d02c73d8f0ec4d293fb83c00a355b320695d0c3d1ed715abce06fe4b0', 'd3156c77925637347d813638d0e428768f081e5714c7df394b912787088d9844', NULL, NULL, NULL, NULL, 'here', 0, '2026-11-28 06:22:27.568197+00', '2026-11-28 06:22:27.464105+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-000000000009-vm1', 'message', '018f0000-0000-7000-8000-000000000009', 'acme', 'here', 'stored', NULL, '2026-11-24 12:00:14+00', '2026-11-24 12:00:16+00', 'hangup', 1.200, 19244, '6c63693e2cc91e2e406a5bcb8bd9065535645c6465c82905700031e1b568bc99', '6ebdb9994744110888edbd43072296a5ba2ff7e2123de3a2755899a220f7b311', NULL, NULL, NULL, NULL, 'here', 0, '2026-11-28 06:22:27.575885+00', '2026-11-28 06:22:27.464105+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-00000000000a-rec1', 'recording', '018f0000-0000-7000-8000-00000000000a', 'acme', 'here', 'stored', NULL, '2026-11-24 12:00:16.123+00', '2026-11-24 12:00:17.323+00', NULL, 1.200, 38444, 'bfaec9f3012477068224643eb9a5f27963f2e063b0cb7575cc9b023687649732', '7848529bd3ba6e7619bf4b9b54f0851ba5ce9dfee7ba75775881ab15fe2b0f18', '2126-10-31 12:01:16.623+00', 'deadline', NULL, NULL, 'here', 0, '2026-11-28 06:22:27.587659+00', '2026-11-28 06:22:27.464105+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-000000000007-vm1', 'message', '018f0000-0000-7000-8000-000000000007', 'acme', 'here', 'recorded', NULL, '2026-11-24 12:00:12+00', '2026-11-24 12:00:14+00', 'hangup', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, '2026-11-28 06:21:27.61155+00', '2026-11-28 06:22:27.464105+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-00000000000d-rec1', 'recording', '018f0000-0000-7000-8000-00000000000d', 'acme', 'here', 'recorded', NULL, '2026-11-24 12:00:19.123+00', '2026-11-24 12:00:20.323+00', NULL, NULL, NULL, NULL, NULL, '2126-10-31 12:01:19.623+00', 'deadline', NULL, NULL, NULL, 0, '2026-11-28 06:21:27.61155+00', '2026-11-28 06:22:27.502358+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-00000000000c-rec1', 'recording', '018f0000-0000-7000-8000-00000000000c', 'acme', 'here', 'stored', NULL, '2026-11-24 12:00:18.123+00', '2026-11-24 12:00:19.323+00', NULL, 1.200, 38444, 'bfaec9f3012477068224643eb9a5f27963f2e063b0cb7575cc9b023687649732', 'f68e9362b6bbc143b078fece4dbc45eed1d2ffb024dc8914221c9ab15e1acb5a', '2126-10-31 12:01:18.623+00', 'deadline', 'court 12/2026', NULL, 'here', 0, '2026-11-28 06:22:27.606968+00', '2026-11-28 06:22:27.495468+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-000000000006-vm1', 'message', '018f0000-0000-7000-8000-000000000006', 'acme', 'here', 'destroyed', NULL, '2026-11-24 12:00:11+00', '2026-11-24 12:00:13+00', 'hangup', 1.200, 19244, 'af67bb1a0cd1649a238e361e0ecd890a8eb9120ebbf47bde87a8ee9e8822a283', '5b0d7e1bcbb198049f356560e98936fac9cefc113e6091aa4390dedae3cc0705', '2026-11-28 06:22:27.703173+00', 'delivered', NULL, NULL, 'here', 1, '2026-11-28 06:22:28.740379+00', '2026-11-28 06:22:27.464105+00');
INSERT INTO public.audio VALUES ('018f0000-0000-7000-8000-00000000000b-rec1', 'recording', '018f0000-0000-7000-8000-00000000000b', 'acme', 'here', 'destroyed', NULL, '2026-11-24 12:00:17.123+00', '2026-11-24 12:00:18.323+00', NULL, 1.200, 38444, 'bfaec9f3012477068224643eb9a5f27963f2e063b0cb7575cc9b023687649732', 'd8ec43585c9d8553420c493dd3909d7dd29a8c77027680534519a6ae7362f860', '2026-11-28 06:22:27.739684+00', 'operator', NULL, NULL, 'here', 1, '2026-11-28 06:22:28.746471+00', '2026-11-28 06:22:27.492735+00');
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000001', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:01+00', '2026-11-24 12:00:07.123+00', '2026-11-24 12:01:07.623+00', 5.123, 60.500, '+3221112244', 'answered', 'caller', 16, NULL, NULL, 'here', 1795846946537109663, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000002', '+3270012345', 'acme', NULL, true, '2026-11-24 12:00:02+00', '2026-11-24 12:00:08.123+00', '2026-11-24 12:01:08.623+00', 5.123, 60.500, '+3221112244', 'answered', 'caller', 16, NULL, NULL, 'here', 1795846946589192326, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000003', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:03+00', NULL, '2026-11-24 12:01:09.623+00', 0.000, 0.000, NULL, 'lost', 'lost', NULL, NULL, NULL, 'here', 1795846946641010128, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000004', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:04+00', NULL, '2026-11-24 12:01:10.623+00', 0.000, 0.000, NULL, 'no_answer', 'engine', 19, NULL, NULL, 'here', 1795846946692202855, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000005', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:05+00', '2026-11-24 12:00:06+00', '2026-11-24 12:00:12.2+00', 0.000, 6.200, 'voicemail', 'voicemail', 'caller', 16, NULL, '018f0000-0000-7000-8000-000000000005-vm1', 'here', 1795846946743626604, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000006', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:06+00', '2026-11-24 12:00:07+00', '2026-11-24 12:00:13.2+00', 0.000, 6.200, 'voicemail', 'voicemail', 'caller', 16, NULL, '018f0000-0000-7000-8000-000000000006-vm1', 'here', 1795846946794296227, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000007', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:07+00', '2026-11-24 12:00:08+00', '2026-11-24 12:00:14.2+00', 0.000, 6.200, 'voicemail', 'voicemail', 'caller', 16, NULL, '018f0000-0000-7000-8000-000000000007-vm1', 'here', 1795846946844941386, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000008', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:08+00', '2026-11-24 12:00:09+00', '2026-11-24 12:00:15.2+00', 0.000, 6.200, 'voicemail', 'voicemail', 'caller', 16, NULL, '018f0000-0000-7000-8000-000000000008-vm1', 'here', 1795846946895564089, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-000000000009', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:09+00', '2026-11-24 12:00:10+00', '2026-11-24 12:00:16.2+00', 0.000, 6.200, 'voicemail', 'voicemail', 'caller', 16, NULL, '018f0000-0000-7000-8000-000000000009-vm1', 'here', 1795846946946882156, NULL);
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-00000000000a', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:10+00', '2026-11-24 12:00:16.123+00', '2026-11-24 12:01:16.623+00', 5.123, 60.500, '+3221112244', 'answered', 'caller', 16, '018f0000-0000-7000-8000-00000000000a-rec1', NULL, 'here', 1795846946998216840, '{"at": "2026-11-24T12:00:16.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:16.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000a-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}');
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-00000000000b', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:11+00', '2026-11-24 12:00:17.123+00', '2026-11-24 12:01:17.623+00', 5.123, 60.500, '+3221112244', 'answered', 'caller', 16, '018f0000-0000-7000-8000-00000000000b-rec1', NULL, 'here', 1795846947053332669, '{"at": "2026-11-24T12:00:17.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:17.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000b-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}');
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-00000000000c', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:12+00', '2026-11-24 12:00:18.123+00', '2026-11-24 12:01:18.623+00', 5.123, 60.500, '+3221112244', 'answered', 'caller', 16, '018f0000-0000-7000-8000-00000000000c-rec1', NULL, 'here', 1795846947104620955, '{"at": "2026-11-24T12:00:18.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:18.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000c-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}');
INSERT INTO public.call VALUES ('018f0000-0000-7000-8000-00000000000d', '+3270012345', 'acme', '+32470111222', false, '2026-11-24 12:00:13+00', '2026-11-24 12:00:19.123+00', '2026-11-24 12:01:19.623+00', 5.123, 60.500, '+3221112244', 'answered', 'caller', 16, '018f0000-0000-7000-8000-00000000000d-rec1', NULL, 'here', 1795846947156183206, '{"at": "2026-11-24T12:00:19.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:19.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000d-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}');
INSERT INTO public.drained VALUES ('here', '1795846946-000003.wal', 0, '2026-11-28 06:22:27.509474+00');
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-000000000001', 1, '018f0000-0000-7000-8000-000000000001-b1', '+3221112233', '2026-11-24 12:00:02+00', NULL, NULL, '2026-11-24 12:00:03+00', 'busy', 17);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-000000000001', 2, '018f0000-0000-7000-8000-000000000001-b2', '+3221112244', '2026-11-24 12:00:03+00', '2026-11-24 12:00:03.5+00', '2026-11-24 12:00:07.123+00', '2026-11-24 12:01:07.623+00', 'taken', 16);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-000000000002', 1, '018f0000-0000-7000-8000-000000000002-b1', '+3221112233', '2026-11-24 12:00:03+00', NULL, NULL, '2026-11-24 12:00:04+00', 'busy', 17);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-000000000002', 2, '018f0000-0000-7000-8000-000000000002-b2', '+3221112244', '2026-11-24 12:00:04+00', '2026-11-24 12:00:04.5+00', '2026-11-24 12:00:08.123+00', '2026-11-24 12:01:08.623+00', 'taken', 16);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000a', 1, '018f0000-0000-7000-8000-00000000000a-b1', '+3221112233', '2026-11-24 12:00:11+00', NULL, NULL, '2026-11-24 12:00:12+00', 'busy', 17);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000a', 2, '018f0000-0000-7000-8000-00000000000a-b2', '+3221112244', '2026-11-24 12:00:12+00', '2026-11-24 12:00:12.5+00', '2026-11-24 12:00:16.123+00', '2026-11-24 12:01:16.623+00', 'taken', 16);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000b', 1, '018f0000-0000-7000-8000-00000000000b-b1', '+3221112233', '2026-11-24 12:00:12+00', NULL, NULL, '2026-11-24 12:00:13+00', 'busy', 17);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000b', 2, '018f0000-0000-7000-8000-00000000000b-b2', '+3221112244', '2026-11-24 12:00:13+00', '2026-11-24 12:00:13.5+00', '2026-11-24 12:00:17.123+00', '2026-11-24 12:01:17.623+00', 'taken', 16);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000c', 1, '018f0000-0000-7000-8000-00000000000c-b1', '+3221112233', '2026-11-24 12:00:13+00', NULL, NULL, '2026-11-24 12:00:14+00', 'busy', 17);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000c', 2, '018f0000-0000-7000-8000-00000000000c-b2', '+3221112244', '2026-11-24 12:00:14+00', '2026-11-24 12:00:14.5+00', '2026-11-24 12:00:18.123+00', '2026-11-24 12:01:18.623+00', 'taken', 16);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000d', 1, '018f0000-0000-7000-8000-00000000000d-b1', '+3221112233', '2026-11-24 12:00:14+00', NULL, NULL, '2026-11-24 12:00:15+00', 'busy', 17);
INSERT INTO public.leg VALUES ('018f0000-0000-7000-8000-00000000000d', 2, '018f0000-0000-7000-8000-00000000000d-b2', '+3221112244', '2026-11-24 12:00:15+00', '2026-11-24 12:00:15.5+00', '2026-11-24 12:00:19.123+00', '2026-11-24 12:01:19.623+00', 'taken', 16);
INSERT INTO public.legal_hold VALUES ('018f0000-0000-7000-8000-00000000000c-rec1', '2026-11-28 06:22:27.738303+00', 'a dispute about a bill', 'court 12/2026', 'A. Peeters', 'B. Janssens', '2027-03-31', NULL, NULL);
INSERT INTO public.message VALUES ('018f0000-0000-7000-8000-000000000004-missed', 'missed', '018f0000-0000-7000-8000-000000000004', 'acme', '+3270012345', '+32470111222', false, '2026-11-24 12:00:04+00', 'no_answer', '{"to": ["office@acme.example"], "path": [], "then": null, "zone": "Europe/Brussels", "audio": "mp3", "label": "", "language": "nl", "require_tls": false}', 'waiting', NULL, false, '2026-11-28 06:22:27.464105+00');
INSERT INTO public.message VALUES ('018f0000-0000-7000-8000-000000000007-vm1', 'voicemail', '018f0000-0000-7000-8000-000000000007', 'acme', '+3270012345', '+32470111222', false, '2026-11-24 12:00:07+00', 'voicemail', '{"to": ["office7@own.example"], "path": [], "then": null, "zone": "Europe/Brussels", "audio": "mp3", "label": "", "language": "nl", "require_tls": false}', 'recorded', NULL, false, '2026-11-28 06:22:27.464105+00');
INSERT INTO public.message VALUES ('018f0000-0000-7000-8000-000000000005-vm1', 'voicemail', '018f0000-0000-7000-8000-000000000005', 'acme', '+3270012345', '+32470111222', false, '2026-11-24 12:00:05+00', 'voicemail', '{"to": ["office5@own.example"], "path": [], "then": null, "zone": "Europe/Brussels", "audio": "mp3", "label": "", "language": "nl", "require_tls": false}', 'waiting', NULL, false, '2026-11-28 06:22:27.464105+00');
INSERT INTO public.message VALUES ('018f0000-0000-7000-8000-000000000008-vm1', 'voicemail', '018f0000-0000-7000-8000-000000000008', 'acme', '+3270012345', '+32470111222', false, '2026-11-24 12:00:08+00', 'voicemail', '{"to": ["office8@later.example"], "path": [], "then": null, "zone": "Europe/Brussels", "audio": "mp3", "label": "", "language": "nl", "require_tls": false}', 'waiting', NULL, false, '2026-11-28 06:22:27.464105+00');
INSERT INTO public.message VALUES ('018f0000-0000-7000-8000-000000000009-vm1', 'voicemail', '018f0000-0000-7000-8000-000000000009', 'acme', '+3270012345', '+32470111222', false, '2026-11-24 12:00:09+00', 'voicemail', '{"to": ["office9@refused.example"], "path": [], "then": null, "zone": "Europe/Brussels", "audio": "mp3", "label": "", "language": "nl", "require_tls": false}', 'waiting', NULL, false, '2026-11-28 06:22:27.464105+00');
INSERT INTO public.message VALUES ('018f0000-0000-7000-8000-000000000006-vm1', 'voicemail', '018f0000-0000-7000-8000-000000000006', 'acme', '+3270012345', '+32470111222', false, '2026-11-24 12:00:06+00', 'voicemail', '{"to": ["office6@own.example"], "path": [], "then": null, "zone": "Europe/Brussels", "audio": "mp3", "label": "", "language": "nl", "require_tls": false}', 'destroyed', NULL, false, '2026-11-28 06:22:27.464105+00');
INSERT INTO public.migration VALUES ('001_calls', '765535593f03f71f5e9ea510c7970adb03f27558ec6d6bf289c2a287e9e18333', '2026-11-28 06:22:27.425266+00');
INSERT INTO public.migration VALUES ('002_messages', '85a9f53dcf4cc57d0972e8e83345b8de6e8ac07d2c870af48df3cc0dec415f05', '2026-11-28 06:22:27.425266+00');
INSERT INTO public.migration VALUES ('003_recordings', '92f8d8fdeafa028a3b8bb34f3cac59dfbddf73e21bf65164fee414f2ca489842', '2026-11-28 06:22:27.425266+00');
INSERT INTO public.migration VALUES ('004_access', 'f2bc727eb5afff5c8aa30445e865fa8f6f00ca240a5f2f910a526395205c86b9', '2026-11-28 06:22:27.425266+00');
INSERT INTO public.migration VALUES ('005_notice', '415aa5ea3a7ea0ced6be014a510f8961533418807b77489056f6ae5e7b17a2a9', '2026-11-28 06:22:27.425266+00');
INSERT INTO public.outbox VALUES ('018f0000-0000-7000-8000-000000000006-vm1', 'office6@own.example', 1, 'own.example', '2026-11-28 06:22:27.548748+00', '2026-11-28 06:22:27.548748+00', '2026-11-28 06:23:31.478396+00', NULL, NULL, 1, '2026-11-28 06:22:27.703173+00', true, NULL, NULL, '250 2.0.0 taken', 'none');
INSERT INTO public.outbox VALUES ('018f0000-0000-7000-8000-000000000009-vm1', 'office9@refused.example', 1, 'refused.example', '2026-11-28 06:22:27.575885+00', '2026-11-28 06:22:27.575885+00', '2026-11-28 06:21:27.731435+00', NULL, NULL, 1, NULL, NULL, NULL, NULL, '550 5.1.1 nobody', 'none');
INSERT INTO public.outbox VALUES ('018f0000-0000-7000-8000-000000000008-vm1', 'office8@later.example', 1, 'later.example', '2026-11-28 06:22:27.568197+00', '2026-11-28 06:22:27.568197+00', '2026-11-28 06:21:27.731435+00', NULL, NULL, 1, NULL, NULL, NULL, NULL, '451 4.3.0 later', 'none');
INSERT INTO public.outbox VALUES ('018f0000-0000-7000-8000-000000000004-missed', 'office@acme.example', 1, 'acme.example', '2026-11-28 06:22:27.464105+00', '2026-11-28 06:22:27.464105+00', '2026-11-28 06:21:27.731435+00', NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.outbox VALUES ('018f0000-0000-7000-8000-000000000005-vm1', 'office5@own.example', 1, 'own.example', '2026-11-28 06:22:27.557505+00', '2026-11-28 06:22:27.557505+00', '2026-11-28 06:21:27.731435+00', NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.recording VALUES ('018f0000-0000-7000-8000-00000000000d-rec1', 'wav', '2026-11-24 12:01:19.623+00', 3153600000, '{"notice": {"at": "2026-11-24T12:00:19.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:19.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000d-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}, "changes": [{"at": "2026-11-24T12:00:19.623000+00:00", "how": null, "what": "pause"}, {"at": "2026-11-24T12:00:20.123000+00:00", "how": "key", "what": "resume"}, {"at": "2026-11-24T12:00:20.323000+00:00", "how": null, "what": "end"}]}', NULL, NULL, NULL, NULL);
INSERT INTO public.recording VALUES ('018f0000-0000-7000-8000-00000000000a-rec1', 'wav', '2026-11-24 12:01:16.623+00', 3153600000, '{"notice": {"at": "2026-11-24T12:00:16.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:16.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000a-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}, "changes": [{"at": "2026-11-24T12:00:16.623000+00:00", "how": null, "what": "pause"}, {"at": "2026-11-24T12:00:17.123000+00:00", "how": "key", "what": "resume"}, {"at": "2026-11-24T12:00:17.323000+00:00", "how": null, "what": "end"}]}', 0.000, NULL, false, false);
INSERT INTO public.recording VALUES ('018f0000-0000-7000-8000-00000000000b-rec1', 'wav', '2026-11-24 12:01:17.623+00', 3153600000, '{"notice": {"at": "2026-11-24T12:00:17.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:17.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000b-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}, "changes": [{"at": "2026-11-24T12:00:17.623000+00:00", "how": null, "what": "pause"}, {"at": "2026-11-24T12:00:18.123000+00:00", "how": "key", "what": "resume"}, {"at": "2026-11-24T12:00:18.323000+00:00", "how": null, "what": "end"}]}', 0.000, NULL, false, false);
INSERT INTO public.recording VALUES ('018f0000-0000-7000-8000-00000000000c-rec1', 'wav', '2026-11-24 12:01:18.623+00', 3153600000, '{"notice": {"at": "2026-11-24T12:00:18.123000+00:00", "to": "+3221112244", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "joined": [{"at": "2026-11-24T12:00:18.123000+00:00", "to": "+3221112244", "leg": "018f0000-0000-7000-8000-00000000000c-b2", "began": "2026-11-24T12:00:01+00:00", "ended": "2026-11-24T12:00:05+00:00", "answer": null, "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}], "result": "heard", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "language": "nl", "announcement": "recording-announcement"}, "changes": [{"at": "2026-11-24T12:00:18.623000+00:00", "how": null, "what": "pause"}, {"at": "2026-11-24T12:00:19.123000+00:00", "how": "key", "what": "resume"}, {"at": "2026-11-24T12:00:19.323000+00:00", "how": null, "what": "end"}]}', 0.000, NULL, false, false);
INSERT INTO public.retention VALUES ('here', 'acme', 3153600000, NULL);
INSERT INTO public.set_aside VALUES ('018f0000-0000-7000-8000-000000000011', 1795846947206824230, 'here', 'InvalidTextRepresentationError(''invalid input syntax for type integer: "not a number"'')', '[{"call": "018f0000-0000-7000-8000-000000000011", "kind": "call_start", "at": "2026-11-24T12:00:17+00:00", "number": "+3270012345", "owner": "acme", "caller": "+32470111222", "withheld": false, "node": "here", "channel": "018f0000-0000-7000-8000-000000000011-a"}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "leg_start", "at": "2026-11-24T12:00:18+00:00", "leg": "018f0000-0000-7000-8000-000000000011-b1", "to": "+3221112233"}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "leg_end", "at": "2026-11-24T12:00:19+00:00", "leg": "018f0000-0000-7000-8000-000000000011-b1", "outcome": "busy", "cause": 17}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "leg_start", "at": "2026-11-24T12:00:19+00:00", "leg": "018f0000-0000-7000-8000-000000000011-b2", "to": "+3221112244"}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "leg_ringing", "at": "2026-11-24T12:00:19.500000+00:00", "leg": "018f0000-0000-7000-8000-000000000011-b2"}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "leg_answer", "at": "2026-11-24T12:00:23.123000+00:00", "leg": "018f0000-0000-7000-8000-000000000011-b2"}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "answered", "at": "2026-11-24T12:00:23.123000+00:00", "to": "+3221112244"}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "leg_end", "at": "2026-11-24T12:01:23.623000+00:00", "leg": "018f0000-0000-7000-8000-000000000011-b2", "outcome": "taken", "cause": 16}, {"call": "018f0000-0000-7000-8000-000000000011", "kind": "call_end", "at": "2026-11-24T12:01:23.623000+00:00", "outcome": "answered", "ended_by": "caller", "cause": "not a number"}]', '2026-11-28 06:22:27.507413+00');
INSERT INTO public.tombstone VALUES (1, '018f0000-0000-7000-8000-000000000006-vm1', 'message', 'acme', '2026-11-24 12:00:11+00', '2026-11-28 06:22:27.703173+00', '2026-11-28 06:22:27.743658+00', 'delivered', 'key+object', 1, '5b0d7e1bcbb198049f356560e98936fac9cefc113e6091aa4390dedae3cc0705', '0000000000000000000000000000000000000000000000000000000000000000', 'd403dd39e527db44160320fbe1194b32776f054732506f88e30af6f3a2b8ab0f');
INSERT INTO public.tombstone VALUES (2, '018f0000-0000-7000-8000-00000000000b-rec1', 'recording', 'acme', '2026-11-24 12:00:17.123+00', '2026-11-28 06:22:27.739684+00', '2026-11-28 06:22:27.749131+00', 'operator', 'key+object', 1, 'd8ec43585c9d8553420c493dd3909d7dd29a8c77027680534519a6ae7362f860', 'd403dd39e527db44160320fbe1194b32776f054732506f88e30af6f3a2b8ab0f', '7ed5895e79bf07aa20335549ad9b8fe44539805175d4e58902245d4ccd87a79c');
SELECT pg_catalog.setval('public.access_seq_seq', 1, true);
ALTER TABLE ONLY keys.audio_key
    ADD CONSTRAINT audio_key_pkey PRIMARY KEY (audio_id);
ALTER TABLE ONLY public.access
    ADD CONSTRAINT access_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (message_id, recipient, n);
ALTER TABLE ONLY public.audio
    ADD CONSTRAINT audio_pkey PRIMARY KEY (audio_id);
ALTER TABLE ONLY public.call
    ADD CONSTRAINT call_pkey PRIMARY KEY (call_id);
ALTER TABLE ONLY public.drained
    ADD CONSTRAINT drained_pkey PRIMARY KEY (node);
ALTER TABLE ONLY public.leg
    ADD CONSTRAINT leg_pkey PRIMARY KEY (call_id, place);
ALTER TABLE ONLY public.legal_hold
    ADD CONSTRAINT legal_hold_pkey PRIMARY KEY (audio_id, held_at);
ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_pkey PRIMARY KEY (message_id);
ALTER TABLE ONLY public.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (message_id, recipient);
ALTER TABLE ONLY public.recording
    ADD CONSTRAINT recording_pkey PRIMARY KEY (audio_id);
ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (node, owner);
ALTER TABLE ONLY public.set_aside
    ADD CONSTRAINT set_aside_pkey PRIMARY KEY (call_id, rev);
ALTER TABLE ONLY public.tls_seen
    ADD CONSTRAINT tls_seen_pkey PRIMARY KEY (domain);
ALTER TABLE ONLY public.tombstone
    ADD CONSTRAINT tombstone_audio_id_key UNIQUE (audio_id);
ALTER TABLE ONLY public.tombstone
    ADD CONSTRAINT tombstone_pkey PRIMARY KEY (seq);
CREATE INDEX access_by_audio ON public.access USING btree (audio_id);
CREATE INDEX audio_in_being ON public.audio USING btree (state) WHERE (state <> 'destroyed'::text);
CREATE INDEX audio_of_owner ON public.audio USING btree (owner) WHERE ((kind = 'recording'::text) AND (state = ANY (ARRAY['recorded'::text, 'stored'::text])));
CREATE INDEX audio_to_clear ON public.audio USING btree (next_at) WHERE (state = 'shredded'::text);
CREATE INDEX audio_to_seal ON public.audio USING btree (next_at) WHERE (state = 'recorded'::text);
CREATE INDEX audio_to_shred ON public.audio USING btree (destroy_after) WHERE ((state = ANY (ARRAY['recorded'::text, 'stored'::text, 'absent'::text])) AND (hold IS NULL));
CREATE INDEX call_by_began ON public.call USING btree (began, call_id);
CREATE INDEX call_by_number ON public.call USING btree (number, began, call_id);
CREATE INDEX message_by_began ON public.message USING btree (began, message_id);
CREATE INDEX message_by_call ON public.message USING btree (call_id);
CREATE UNIQUE INDEX one_hold_at_a_time ON public.legal_hold USING btree (audio_id) WHERE (released_at IS NULL);
CREATE INDEX outbox_due ON public.outbox USING btree (next_at) WHERE ((accepted_at IS NULL) AND (refused_at IS NULL));
CREATE TRIGGER only_added_to BEFORE DELETE OR UPDATE OR TRUNCATE ON public.access FOR EACH STATEMENT EXECUTE FUNCTION public.only_added_to();
ALTER TABLE ONLY public.leg
    ADD CONSTRAINT leg_call_id_fkey FOREIGN KEY (call_id) REFERENCES public.call(call_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.legal_hold
    ADD CONSTRAINT legal_hold_audio_id_fkey FOREIGN KEY (audio_id) REFERENCES public.audio(audio_id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_message_id_fkey FOREIGN KEY (message_id) REFERENCES public.message(message_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.recording
    ADD CONSTRAINT recording_audio_id_fkey FOREIGN KEY (audio_id) REFERENCES public.audio(audio_id);
