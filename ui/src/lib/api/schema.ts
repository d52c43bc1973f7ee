// The API's types. Generated from docs/reference/openapi.json by `npm run generate`: don't edit.
export interface paths {
    "/api/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A page that shows this document */
        get: operations["get_docs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/docs/page.css": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The page's style */
        get: operations["get_docs_page_css"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/docs/page.js": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The page's script */
        get: operations["get_docs_page_js"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document */
        get: operations["get_openapi_json"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/approvals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What waits for your decision, oldest first */
        get: operations["get_approvals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List entries of the audit log, newest first */
        get: operations["get_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All entries, or those that are asked for, oldest first, one a line */
        get: operations["get_audit_export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Check that no entry was changed, taken out or put in */
        get: operations["get_audit_verify"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/bundles/{digest}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Sources by their digest */
        get: operations["get_bundles_digest"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/claims/{id}/fetch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Fetch what a claim holds, once
         * @description For a machine that has just been made. The word works once: whoever comes second gets 410, which is told in the audit log. Only with the same `machine` it works again, until the first report. 401 is all that whoever doesn't have the word gets to know.
         */
        post: operations["post_claims_id_fetch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/claims/{id}/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Tell what becomes of a machine
         * @description Each report is a signal to the run that waits for the machine.
         */
        post: operations["post_claims_id_reports"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/definitions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Everything that scripts can call, for editors */
        get: operations["get_definitions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/doctor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the server's machine can do, and how to get what is missing
         * @description As `windlass doctor` says it, of the node that answers. It is looked at anew twice a minute at most.
         */
        get: operations["get_doctor"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/drafts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List your drafts */
        get: operations["get_drafts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/drafts/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show your draft of a workflow's input */
        get: operations["get_drafts_name"];
        /**
         * Keep your draft of a workflow's input
         * @description For 30 days after the last change. With `If-Match` (the version that you have seen) it is refused if you have changed or removed it elsewhere since; with `If-None-Match: *` if you have one already.
         */
        put: operations["put_drafts_name"];
        post?: never;
        /** Throw your draft away */
        delete: operations["delete_drafts_name"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow everything that you may see
         * @description Server-sent events of all runs that the asker may read, and of workflows. `id` is a cursor to go on from. Without a cursor the stream begins now. It has no end; a right that is taken away ends it.
         */
        get: operations["get_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hooks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deliver to a webhook
         * @description For other systems: no token is asked for, but a signature of the body with the webhook's key. The same delivery (`webhook-id`, or for GitHub's scheme the same body) does its work once, however often it is sent within 7 days (GitHub's scheme: 30). 401 is all that whoever can't sign gets to know.
         */
        post: operations["post_hooks_id"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/invitation": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Show the invitation that a link is of */
        post: operations["post_invitation"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/invitation/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept an invitation
         * @description Somebody new chooses a name and a password. Whoever is a user already logs in first, as the one whose address was invited.
         */
        post: operations["post_invitation_accept"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/invitations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an invitation */
        get: operations["get_invitations_id"];
        put?: never;
        post?: never;
        /** Withdraw an invitation */
        delete: operations["delete_invitations_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/invitations/{id}/send": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send an invitation again, with a new link
         * @description The link before works no more. Once a minute, and ten times at most.
         */
        post: operations["post_invitations_id_send"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/lab-documents/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check a lab's document
         * @description Changes nothing. All mistakes at once stand in `data.faults`: `code`, `pointer`, `message`, and `line` and `column` of text.
         */
        post: operations["post_lab_documents_check"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/lab-documents/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a lab's document of another tool's topology */
        post: operations["post_lab_documents_import"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/lab-documents/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Compare a document with what is there
         * @description What `lab/deploy` would do with it now; nothing is done.
         */
        post: operations["post_lab_documents_plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/lab-documents/schema": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The JSON Schema of labs' documents */
        get: operations["get_lab_documents_schema"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/lab-drawings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Labs that somebody has drawn */
        get: operations["get_lab_drawings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Labs whose documents are known */
        get: operations["get_labs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs/{lab}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A lab: its document, what is there, and what differs */
        get: operations["get_labs_lab"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs/{lab}/capture": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Packets that pass a lab's link, while they pass
         * @description A pcapng stream: `curl -N … | wireshark -k -i -`. It ends after `seconds`, at `bytes`, or when you go. Whoever may type into the lab's consoles may do this; it counts as one of their consoles, and stands in the audit log.
         */
        get: operations["get_labs_lab_capture"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs/{lab}/drawing": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A lab's document as it is being edited */
        get: operations["get_labs_lab_drawing"];
        /**
         * Keep a lab's document as it is being edited
         * @description Nothing is deployed, and the text needn't be right yet. With `If-Match` (the version that you have seen) it is refused (`precondition_failed`) if somebody else has changed it since, or thrown it away; with `If-None-Match: *` if somebody has drawn this lab already.
         */
        put: operations["put_labs_lab_drawing"];
        post?: never;
        /** Throw away what was drawn of a lab; the lab itself stays */
        delete: operations["delete_labs_lab_drawing"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs/{lab}/nodes/{node}/console": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Open a console of a node
         * @description Becomes a WebSocket (HTTP/1.1). Binary frames are the bytes of the terminal, in both directions; text frames are JSON: `{"resize":{"cols":80,"rows":24}}` and `{"type":true}` (take the keyboard; `false`: give it up) to the server, `{"viewers":2,"typist":"ann","typing":true,"size":{…},"recording":null}`, `{"error":{…}}` and `{"exit":0}` from it. Screens (`vnc`: bytes of RFB in binary frames; `guac`: instructions in text frames) pass as they are. Close codes: 1000 it has ended, 1001 the server stops, 1009 a message was too large, 4400 not understood, 4401 you may not be here any more, 4403 it couldn't be opened (with `explain=1`), 4404 the node is gone, 4408 nothing has happened for too long, 4429 you took too little of what was shown. A browser's page has to be this server's own. `guac` is spoken as guacamole-common-js speaks it (subprotocol `guacamole`), and its close reasons are Guacamole's status codes.
         */
        get: operations["get_labs_lab_nodes_node_console"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs/{lab}/nodes/{node}/consoles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The consoles that a node has */
        get: operations["get_labs_lab_nodes_node_consoles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs/{lab}/recordings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Recordings of a lab's consoles on this machine, newest first */
        get: operations["get_labs_lab_recordings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/labs/{lab}/recordings/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Download a recording: asciicast v2 */
        get: operations["get_labs_lab_recordings_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ledger/balances": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List accounts with their sums */
        get: operations["get_ledger_balances"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ledger/entries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List entries, newest first */
        get: operations["get_ledger_entries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/ledger/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Look whether the whole ledger is as it has to be */
        get: operations["get_ledger_verify"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/locks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Locks that runs hold */
        get: operations["get_locks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/nodes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The nodes that execute runs */
        get: operations["get_nodes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/nodes/{id}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Have a node claim nothing more, or go on
         * @description A node that drains hands its runs over at their next host call; it goes on when it is started anew.
         */
        put: operations["put_nodes_id_drain"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/notifications/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List what was told, and what is still to be */
        get: operations["get_notifications_deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/notifications/deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a delivery */
        get: operations["get_notifications_deliveries_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/notifications/deliveries/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Tell a message that was given up */
        post: operations["post_notifications_deliveries_id_retry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/notifications/rules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List rules of notifications */
        get: operations["get_notifications_rules"];
        put?: never;
        /**
         * Make a rule
         * @description From now on: what happened before it was there isn't told.
         */
        post: operations["post_notifications_rules"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/notifications/rules/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a rule */
        get: operations["get_notifications_rules_id"];
        put?: never;
        post?: never;
        /**
         * Remove a rule
         * @description What it had written down already is told all the same.
         */
        delete: operations["delete_notifications_rules_id"];
        options?: never;
        head?: never;
        /** Change, pause or resume a rule */
        patch: operations["patch_notifications_rules_id"];
        trace?: never;
    };
    "/api/v1/notifications/targets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List targets of notifications */
        get: operations["get_notifications_targets"];
        put?: never;
        /**
         * Make a target
         * @description Address and secret are sealed, and never shown again.
         */
        post: operations["post_notifications_targets"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/notifications/targets/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a target */
        get: operations["get_notifications_targets_id"];
        put?: never;
        post?: never;
        /**
         * Remove a target
         * @description What is still to be told there is given up.
         */
        delete: operations["delete_notifications_targets_id"];
        options?: never;
        head?: never;
        /** Change, pause or resume a target */
        patch: operations["patch_notifications_targets_id"];
        trace?: never;
    };
    "/api/v1/notifications/targets/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test message to a target
         * @description At once, ten seconds at most, and once: whatever becomes of it is the answer. It counts as one of the target's messages in this minute.
         */
        post: operations["post_notifications_targets_id_test"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the organisations that one may see
         * @description Those that one holds something in, and those under what one manages.
         */
        get: operations["get_organisations"];
        put?: never;
        /**
         * Make an organisation under another one
         * @description The platform makes franchisees and customers; whoever manages a franchisee makes customers under it.
         */
        post: operations["post_organisations"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show an organisation */
        get: operations["get_organisations_name"];
        put?: never;
        post?: never;
        /**
         * Remove an organisation
         * @description One that is empty; or with `offboard`, one that is suspended, with its members, tokens, secrets, schedules and plugins. Organisations under it, open runs and things that runs have made have to be gone first. Ended runs and the audit log stay until their own time is over.
         */
        delete: operations["delete_organisations_name"];
        options?: never;
        head?: never;
        /**
         * Rename or suspend an organisation
         * @description Its managers rename it; whoever manages the one above suspends it, too.
         */
        patch: operations["patch_organisations_name"];
        trace?: never;
    };
    "/api/v1/organisations/{name}/brand": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How an organisation looks */
        get: operations["get_organisations_name_brand"];
        /**
         * Say how an organisation looks
         * @description Colours that people couldn't read are refused, with the contrast that they have.
         */
        put: operations["put_organisations_name_brand"];
        post?: never;
        /**
         * Say no more how an organisation looks
         * @description It looks like the organisation above it again.
         */
        delete: operations["delete_organisations_name_brand"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/environments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List an organisation's environments */
        get: operations["get_organisations_name_environments"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/invitations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List an organisation's open invitations */
        get: operations["get_organisations_name_invitations"];
        put?: never;
        /**
         * Invite somebody into an organisation
         * @description The link goes to the address by mail. Where that can't be, the answer has it, once. Whoever manages the organisation above invites one person with the role `franchisee` while nobody manages it, and nobody else.
         */
        post: operations["post_organisations_name_invitations"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/look": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How an organisation's pages look
         * @description Its own brand; without one, that of the organisation above it: a franchisee's customers see the franchisee's.
         */
        get: operations["get_organisations_name_look"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List an organisation's members */
        get: operations["get_organisations_name_members"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/quotas": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Say how much an organisation may have
         * @description All of it: what isn't given isn't limited from now on. For whoever stands above it, within their own.
         */
        put: operations["put_organisations_name_quotas"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let an organisation's members act again */
        post: operations["post_organisations_name_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/suspend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Keep an organisation's members from acting
         * @description Those of the organisations under it, too. Their tokens are refused; nothing is launched in it, not by schedules, webhooks or triggers either. Open runs go on to their ends.
         */
        post: operations["post_organisations_name_suspend"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/organisations/{name}/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How much an organisation has, and may have */
        get: operations["get_organisations_name_usage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List plans, newest first */
        get: operations["get_plans"];
        put?: never;
        /**
         * Rehearse a workflow, and keep the plan
         * @description It is kept for 30 days. A launch with its id in `plan` is refused if the workflow or the input is another one by then; its run carries the tag `plan:<id>`.
         */
        post: operations["post_plans"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plans/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a plan */
        get: operations["get_plans_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List plugins
         * @description A plugin's files are checked when they change, and are in use from then on if they are sound.
         */
        get: operations["get_plugins"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/starter": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Files of a plugin to begin with
         * @description For a registrar that nobody has; they pass the conformance kit as they are. Nothing is written.
         */
        post: operations["post_plugins_starter"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/unpack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Look into an archive of a plugin
         * @description A `.tar.gz` or a `.zip` of a plugin's folder, up to 4 MiB. Nothing is written: the answer is what would be saved. An archive with a link, or with a path that leads out of its folder, is refused as a whole.
         */
        post: operations["post_plugins_unpack"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a plugin */
        get: operations["get_plugins_name"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/{name}/activate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Put another version of a plugin in use
         * @description With `workflow_review`, a version that may reach more than the one in use waits for this.
         */
        post: operations["post_plugins_name_activate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/{name}/approval": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show how a plugin stands for an organisation
         * @description What was approved, and what its files have beyond that.
         */
        get: operations["get_plugins_name_approval"];
        /**
         * Approve a plugin's files for an organisation
         * @description They have to be what was looked at, and to pass the conformance kit. A file that changes later is refused until it is approved in turn.
         */
        put: operations["put_plugins_name_approval"];
        post?: never;
        /**
         * Take the approval of a plugin back
         * @description No run of the organisation can use it from now on.
         */
        delete: operations["delete_plugins_name_approval"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/{name}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Check a plugin's files */
        post: operations["post_plugins_name_check"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/{name}/conformance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run the conformance kit on a plugin
         * @description With the exchanges that were recorded; no registrar is asked. It is what has to pass before an approval.
         */
        post: operations["post_plugins_name_conformance"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/plugins/{name}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a plugin's files
         * @description Those in its folder at the server that answers, and those that were approved for the organisation. Whoever may approve them there may read them, and nobody else.
         */
        get: operations["get_plugins_name_files"];
        /**
         * Install a plugin, or save its files
         * @description All of them take the place of what is there, or none does. Files with mistakes are refused. What is saved isn't used before it is approved; what was approved before stays in use.
         */
        put: operations["put_plugins_name_files"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pool": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the domains of the pool */
        get: operations["get_pool"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pool/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Ask whether a name can be had */
        get: operations["get_pool_check"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pool/names": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List names that aren't free */
        get: operations["get_pool_names"];
        put?: never;
        /**
         * Reserve a name
         * @description Its zone is made and signed, with NS and DS in the domain's zone. 409: somebody has it. 422: it can't be had at all (`data.reason`: `unsupported-pool`, `reserved`, `invalid-format`), or your organisation has too many reserved (`limit_exceeded`).
         */
        post: operations["post_pool_names"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pool/names/{name}/commit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give a reserved name out
         * @description May be repeated with the same token: what failed half-way is done again, and other addresses take the place of those before.
         */
        post: operations["post_pool_names_name_commit"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pool/names/{name}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give a name back
         * @description Its delegation goes at once. A name that was given out rests for as long as others may remember its keys.
         */
        post: operations["post_pool_names_name_release"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pool/names/{name}/renew": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Let a reservation run on
         * @description 410: it has run out, or was reserved too long ago to run on without being committed.
         */
        post: operations["post_pool_names_name_renew"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/redeem": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Redeem a code
         * @description Launches `franchise/redeem` for whoever issued the voucher: an organisation and an environment, a name and a first app where the server's configuration offers them (`vouchers.offer`), and a mail to the customer. Counts like a look at the code. 409: there is an organisation of this name.
         */
        post: operations["post_redeem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/redeem/progress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Look how a redemption goes
         * @description For whoever has begun it, with the run and the word that they were answered. Phases are what the workflow says of its progress; at the end there is where the first app is reached.
         */
        post: operations["post_redeem_progress"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/redeem/{code}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Look what a code is worth
         * @description 404: there is no such code, or it is mistyped. 410: it was redeemed as often as it may be, has expired, or was taken back (`data.reason`). Each address may ask some times a minute, and all together some more.
         */
        get: operations["get_redeem_code"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/resources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What runs have made */
        get: operations["get_resources"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/roles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List roles, and what they allow */
        get: operations["get_roles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List runs, newest first
         * @description Filters are combined with and. Fields of the input are asked for as `input.<name>=<value>`, any number of them. Only runs that you may see are listed. Where conditions seldom meet, a page can have fewer runs than asked for, or none, and yet a `next`: by then enough was looked through.
         */
        get: operations["get_runs"];
        put?: never;
        /**
         * Launch a workflow
         * @description The run is on disk when this answers. With an `Idempotency-Key`, a second launch of the same workflow in the same organisation answers with the first one's run, and is refused if its input differs.
         */
        post: operations["post_runs"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel, retry, restart or unpark many runs
         * @description First with `preview` for the count, then with `preview: false` and that count. A call works on 1,000 runs at most, and no longer than half the time that a request may take; go on with `cursor` from `next`. Each run is its own command, with its own entry in the audit log. `retry` needs an `Idempotency-Key`: sent again with the same one, because the answer was lost, it launches nothing twice.
         */
        post: operations["post_runs_bulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a run */
        get: operations["get_runs_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/approvals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a run asks or asked */
        get: operations["get_runs_id_approvals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/approvals/{step}/decision": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Decide on an approval
         * @description Nobody decides on what they launched themselves, also not with a token, unless the workflow says so.
         */
        post: operations["post_runs_id_approvals_step_decision"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/artifacts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a run has kept for people */
        get: operations["get_runs_id_artifacts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/artifacts/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download an artifact
         * @description With the media type that the run gave it, always as a download.
         */
        get: operations["get_runs_id_artifacts_name"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ask for a run's end: what it did is undone */
        post: operations["post_runs_id_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What differs between two runs */
        get: operations["get_runs_id_diff"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow a run
         * @description Server-sent events: first those that are there, then those that come. `id` is the event's number, `event` its kind, `data` the event. Ends with `done` when the run has ended and everything was sent; whoever comes back after that gets 204. A comment every 15 seconds shows that the stream lives.
         */
        get: operations["get_runs_id_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Everything about a run, as one document */
        get: operations["get_runs_id_export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A run's events, page by page
         * @description For following a run as it goes, `/api/v1/runs/{id}/events` streams them.
         */
        get: operations["get_runs_id_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a run logged: searched, filtered, by lines */
        get: operations["get_runs_id_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/logs.txt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What a run logged, as text to download
         * @description Takes the same filters; at most 200,000 lines.
         */
        get: operations["get_runs_id_logs_txt"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say what became of a step that is in doubt */
        post: operations["post_runs_id_resolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/resources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a run has made */
        get: operations["get_runs_id_resources"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/restart": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Restart a failed run from its failed step, or an earlier one */
        post: operations["post_runs_id_restart"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Launch the same workflow again, with the same input */
        post: operations["post_runs_id_retry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/signal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send a signal to a run */
        post: operations["post_runs_id_signal"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The sources that a run is pinned to */
        get: operations["get_runs_id_sources"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/steps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A run's journal, in order of paths */
        get: operations["get_runs_id_steps"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/stick": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Stop an undo that comes to no end: the run is stuck at it */
        post: operations["post_runs_id_stick"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A run's undo list */
        get: operations["get_runs_id_undo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/unpark": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let a run go on that was parked */
        post: operations["post_runs_id_unpark"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/unstick": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Say what to do about an undo that is stuck */
        post: operations["post_runs_id_unstick"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/upgrade": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let an open run go on with the current scripts */
        post: operations["post_runs_id_upgrade"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List schedules */
        get: operations["get_schedules"];
        put?: never;
        /**
         * Make a schedule
         * @description Its runs are launched for whoever made or last changed it, and only while they may launch the workflow. An instant is launched once, whatever crashes and however many servers run.
         */
        post: operations["post_schedules"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** When a cron pattern happens */
        get: operations["get_schedules_preview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a schedule */
        get: operations["get_schedules_id"];
        put?: never;
        post?: never;
        /**
         * Remove a schedule
         * @description Runs that it has launched go on.
         */
        delete: operations["delete_schedules_id"];
        options?: never;
        head?: never;
        /** Change, pause or resume a schedule */
        patch: operations["patch_schedules_id"];
        trace?: never;
    };
    "/api/v1/schedules/{id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Launch a schedule's workflow now
         * @description Besides the schedule, which goes on as before. The run is whoever asks for it's.
         */
        post: operations["post_schedules_id_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/secrets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List secrets, without their values */
        get: operations["get_secrets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/secrets/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a secret, without its value */
        get: operations["get_secrets_name"];
        /** Keep a secret */
        put: operations["put_secrets_name"];
        post?: never;
        /** Remove a secret */
        delete: operations["delete_secrets_name"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who one is, and what one may do */
        get: operations["get_session"];
        put?: never;
        /**
         * Log in
         * @description The answer sets the session's cookie. Programs use tokens instead.
         */
        post: operations["post_session"];
        /** Log out */
        delete: operations["delete_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Come in once by a link, and choose a password
         * @description The link is one of `windlass seed`. It works once; sessions that were opened before end.
         */
        post: operations["post_session_link"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/oidc": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Names of the OpenID providers that log in */
        get: operations["get_session_oidc"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/oidc/{provider}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Log in through an OpenID provider
         * @description For browsers: leads to the provider's page.
         */
        get: operations["get_session_oidc_provider"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/oidc/{provider}/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where the provider sends the browser back to */
        get: operations["get_session_oidc_provider_callback"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Change one's password
         * @description Ends all of one's other sessions.
         */
        put: operations["put_session_password"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session/totp": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Confirm the second factor with its first code */
        put: operations["put_session_totp"];
        /**
         * Begin to use a second factor
         * @description It is asked for once its first code was confirmed.
         */
        post: operations["post_session_totp"];
        /** Use no second factor any more */
        delete: operations["delete_session_totp"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List one's sessions */
        get: operations["get_sessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End one of one's sessions */
        delete: operations["delete_sessions_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the server runs with
         * @description As `windlass config show` says it, of the node that answers. Nothing is changed here, and no secret is shown.
         */
        get: operations["get_settings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sovereigns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the Sovereigns that are trusted */
        get: operations["get_sovereigns"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sovereigns/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Trust a Sovereign, or change how
         * @description Its signed vouchers are redeemed here from now on, and it may ask for what it has redeemed of ours.
         */
        put: operations["put_sovereigns_name"];
        post?: never;
        /** Trust a Sovereign no more */
        delete: operations["delete_sovereigns_name"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sovereigns/{name}/claims": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List claims between this Sovereign and another one
         * @description Those that are asked of it, and those that it has asked; 500 of each at most.
         */
        get: operations["get_sovereigns_name_claims"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sovereigns/{name}/payments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Book what was paid to or by a Sovereign
         * @description The money itself is paid outside. What is received counts against what the Sovereign owes, and frees its limit; what is paid, against what is owed to it. The same reference is booked once.
         */
        post: operations["post_sovereigns_name_payments"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List tokens */
        get: operations["get_tokens"];
        put?: never;
        /** Issue a token */
        post: operations["post_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a token */
        get: operations["get_tokens_id"];
        put?: never;
        post?: never;
        /** Revoke a token */
        delete: operations["delete_tokens_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/triggers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List triggers */
        get: operations["get_triggers"];
        put?: never;
        /**
         * Launch a workflow when runs end
         * @description For runs of the same organisation that end from now on. Each end launches once, for whoever made or last changed the trigger, and only while they may. A chain of triggers ends after eight runs.
         */
        post: operations["post_triggers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/triggers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a trigger */
        get: operations["get_triggers_id"];
        put?: never;
        post?: never;
        /** Remove a trigger */
        delete: operations["delete_triggers_id"];
        options?: never;
        head?: never;
        /** Change, pause or resume a trigger */
        patch: operations["patch_triggers_id"];
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List users */
        get: operations["get_users"];
        put?: never;
        /** Make a user */
        post: operations["post_users"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a user */
        get: operations["get_users_name"];
        put?: never;
        post?: never;
        /** Remove a user, with their sessions and tokens */
        delete: operations["delete_users_name"];
        options?: never;
        head?: never;
        /** Change a user */
        patch: operations["patch_users_name"];
        trace?: never;
    };
    "/api/v1/users/{name}/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Give a user a new password
         * @description Ends all of their sessions. One's own is changed at `/api/v1/session/password`.
         */
        put: operations["put_users_name_password"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{name}/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End all of a user's sessions */
        delete: operations["delete_users_name_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{name}/totp": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a user's second factor
         * @description One's own is removed at `/api/v1/session/totp`.
         */
        delete: operations["delete_users_name_totp"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the server is */
        get: operations["get_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List vouchers, without their codes */
        get: operations["get_vouchers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/batches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List batches, newest first */
        get: operations["get_vouchers_batches"];
        put?: never;
        /**
         * Issue vouchers
         * @description The codes are in the batch's export. With an `Idempotency-Key`, a second request gives the first one's batch. What is makes an issuer's vouchers of 24 hours worth more than `vouchers.issue_limit`, or is signed, is issued by `franchise/issue-vouchers`, which asks for an approval. The issuer is the platform, or a franchisee.
         */
        post: operations["post_vouchers_batches"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/batches/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a batch */
        get: operations["get_vouchers_batches_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/batches/{id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a batch's codes, as CSV
         * @description Each export stands in the audit log.
         */
        get: operations["get_vouchers_batches_id_export"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/batches/{id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take a batch back
         * @description What was redeemed stays.
         */
        post: operations["post_vouchers_batches_id_revoke"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/claims": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask for what was redeemed of this Sovereign's vouchers
         * @description What another Sovereign sends that is trusted here: its key's id in `X-Windlass-Key`, the signature of the body in `X-Windlass-Signature`. Each claim is judged once; asked again, the answer is the same. It is signed, too.
         */
        post: operations["post_vouchers_claims"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/key": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show the key that this Sovereign's vouchers are signed with */
        get: operations["get_vouchers_key"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/totals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Sum up vouchers by issuer and currency */
        get: operations["get_vouchers_totals"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a voucher, without its code */
        get: operations["get_vouchers_id"];
        put?: never;
        post?: never;
        /** Take a voucher back, and list it no more */
        delete: operations["delete_vouchers_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/{id}/redemptions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List who redeemed a voucher, newest first */
        get: operations["get_vouchers_id_redemptions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vouchers/{id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take a voucher back
         * @description What was redeemed stays.
         */
        post: operations["post_vouchers_id_revoke"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List webhooks */
        get: operations["get_webhooks"];
        put?: never;
        /**
         * Make a webhook
         * @description The key is told only now. It acts for whoever made or last changed it, and only while they may.
         */
        post: operations["post_webhooks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a webhook */
        get: operations["get_webhooks_id"];
        put?: never;
        post?: never;
        /** Remove a webhook */
        delete: operations["delete_webhooks_id"];
        options?: never;
        head?: never;
        /** Change, pause or resume a webhook */
        patch: operations["patch_webhooks_id"];
        trace?: never;
    };
    "/api/v1/webhooks/{id}/key": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Give a webhook a new key
         * @description The one before holds for another day, so that the sender can be told in peace.
         */
        put: operations["put_webhooks_id_key"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List workflows */
        get: operations["get_workflows"];
        put?: never;
        /**
         * Save several workflows and modules: all or none
         * @description Every source is checked first, and so is every workflow that imports one of them. If one has mistakes, they are told in `diagnostics`, and nothing changes. Workflows that aren't named stay as they are. Those that ask for more than their version in use wait for an admin, unless one saves them.
         */
        post: operations["post_workflows"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a workflow: what it takes, what it may do */
        get: operations["get_workflows_name"];
        /**
         * Save a workflow's source, and put it in use
         * @description The source is checked first; one with mistakes is refused with its `diagnostics`, and nothing changes. If somebody else has changed the workflow meanwhile, `expected` doesn't fit, and nothing changes either. A source that asks for more than the version in use, saved by somebody who isn't an admin, is kept as a version that waits for one: `waits` says so. The same holds for `restore`.
         */
        put: operations["put_workflows_name"];
        post?: never;
        /**
         * Remove a workflow's file
         * @description Its versions are kept, and can be restored. Open runs go on.
         */
        delete: operations["delete_workflows_name"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/activate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Put another version in use
         * @description With `dry_run`, says what would become of open runs, and which grants are new. More grants need an admin.
         */
        post: operations["post_workflows_name_activate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check a source for mistakes
         * @description Nothing is saved or run. With a body, the source in it is checked under this name.
         */
        post: operations["post_workflows_name_check"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/editors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say that one edits a workflow, and hear who else does
         * @description Kept in memory, for people's sake: nobody is kept out. Say it again every 10 seconds.
         */
        post: operations["post_workflows_name_editors"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the file of a workflow or of a module
         * @description Unlike the workflow itself, it is shown when it has mistakes, too.
         */
        get: operations["get_workflows_name_file"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Versions of a workflow, newest first */
        get: operations["get_workflows_name_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/input": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check an input, and launch nothing
         * @description Completed with the schema's defaults and checked as a launch does it, secrets' names as well. What doesn't fit is no error here: it is told in `faults`.
         */
        post: operations["post_workflows_name_input"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/rehearse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say what a run would do, and do nothing
         * @description The same script in virtual time, against stand-ins: what it would do is the plan.
         */
        post: operations["post_workflows_name_rehearse"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Save the source of an earlier version as a new one */
        post: operations["post_workflows_name_restore"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/scenarios": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Save a workflow's scenarios
         * @description In the file beside it, `<name>.test.rhai`. They have no versions: launches don't use them.
         */
        put: operations["put_workflows_name_scenarios"];
        /**
         * Run a workflow's scenarios
         * @description In rehearsals, with virtual time. Nothing is saved: sources in the body take the files' places.
         */
        post: operations["post_workflows_name_scenarios"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/workflows/{name}/source": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A workflow's source as text */
        get: operations["get_workflows_name_source"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the process answers at all */
        get: operations["get_livez"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics for Prometheus
         * @description From the networks of `server.metrics_from`, or with a token that may read everywhere.
         */
        get: operations["get_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the server can serve, and why not */
        get: operations["get_readyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Who accepts. */
        AcceptBody: {
            /** @description The name to log in with, of somebody new: letters, digits and `._-`; never changes. */
            name?: string | null;
            /** @description The password of somebody new: at least 10 characters. */
            password?: string | null;
            /**
             * @description How people call them.
             * @default
             */
            title?: string;
            /** @description What stands behind `#` in the link. */
            word: string;
        };
        /** @description An invitation that was accepted. */
        Accepted: {
            /** @description The organisation. */
            organisation: string;
            /** @description What they hold there. */
            role: components["schemas"]["Role"];
            /** @description The user who has accepted it, and can log in. */
            user: string;
        };
        /** @description What can be done to many runs. */
        Action: "cancel" | "retry" | "restart" | "unpark";
        /** @description What a delivery does. */
        Action2: {
            /** @constant */
            do: "launch";
            /**
             * @description Its input; `${/body/…}`, `${/headers/…}` and `${/id}` are filled in.
             * @default {}
             */
            input?: unknown;
            /**
             * @description Tags of the run; `${…}` are filled in, too.
             * @default []
             */
            tags?: string[];
            /** @description The workflow: `area/name`. */
            workflow: string;
        } | {
            /** @constant */
            do: "signal";
            /**
             * @description What the run gets; `${/body}` if nothing is said.
             * @default ${/body}
             */
            payload?: unknown;
            /**
             * @description The run's id, such as `${/body/run}`.
             * @default null
             */
            run?: string | null;
            /** @description The signal's name. */
            signal: string;
            /**
             * @description A tag that exactly one open run has, such as `order-${/body/order}`.
             * @default null
             */
            tag?: string | null;
            /** @description The workflow whose runs may be signalled: `area/name`. */
            workflow: string;
        };
        /** @description Which version, and why. */
        ActivateBody: {
            /**
             * @description Only say what would happen.
             * @default false
             */
            dry_run?: boolean;
            /**
             * @description Why, for the history.
             * @default
             */
            message?: string;
            /**
             * Format: int64
             * @description Its number.
             */
            version: number;
        };
        /** @description Which version, and why. */
        ActivatePluginBody: {
            /**
             * @description Why, for the audit log.
             * @default
             */
            message?: string;
            /**
             * Format: int64
             * @description Its number.
             */
            version: number;
        };
        /** @description A version that was put in use, or would be. */
        Activated: {
            /** @description Whether it is in use now. */
            activated: boolean;
            /** @description Grants that it asks for, and the version in use before didn't. */
            added: string[];
            /** @description What would become of open runs if they went on with it. They stay on their own sources until somebody upgrades them. */
            runs: components["schemas"]["RunVerdict"][];
            /**
             * Format: int64
             * @description Its number.
             */
            version: number;
        };
        /** @description A step that had its effect and is performed again. */
        AgainView: {
            /**
             * @description What doing it twice means: `idempotent` is the same as once, `at_most_once` isn't.
             * @enum {string}
             */
            class: "read" | "idempotent" | "keyed" | "at_most_once" | "wait" | "scope";
            /** @description The function. */
            op: string;
            /** @description Which. */
            path: string;
        };
        /** @description How a plugin's files stand to what was approved. */
        ApprovalState: "new" | "approved" | "modified" | "disabled";
        /** @description An approval, asked for and perhaps decided. */
        ApprovalView: {
            /**
             * Format: int64
             * @description When it was asked.
             */
            asked_at_ms: number;
            /** @description Decisions so far. */
            decisions: components["schemas"]["DecisionView"][];
            /** @description The step. */
            path: string;
            /** @description What is asked. */
            request: components["schemas"]["RequestView"];
            /** @description The run. */
            run: string;
            /** @description Whether it is settled. */
            settled: boolean;
        };
        /** @description An approval. */
        ApprovalView2: {
            /**
             * Format: int64
             * @description When.
             */
            at_ms: number;
            /** @description Who approved it, or took it back. */
            by: string;
            /** @description Of the sources. */
            digest: string;
            /** @description Whether it was taken back. */
            disabled: boolean;
            /** @description For whom. */
            organisation: string;
            /** @description What they may reach. */
            permissions: string[];
            /** @description `kind/name`. */
            plugin: string;
            /** @description Why. */
            why: string;
        };
        /** @description What is approved. */
        ApproveBody: {
            /** @description Digest of the files that were looked at. */
            digest: string;
            /**
             * @description Why, for the audit log.
             * @default
             */
            message?: string;
        };
        /** @description An artifact, without its content. */
        ArtifactView: {
            /**
             * Format: int64
             * @description Its size.
             */
            bytes: number;
            /**
             * Format: int64
             * @description When it was kept.
             */
            created_at_ms: number;
            /** @description blake3 of its content, hex. */
            digest: string;
            /** @description What it is: `text/plain`. */
            media_type: string;
            /** @description Its name. */
            name: string;
            /** @description Its run. */
            run: string;
        };
        /** @description An entry. */
        AuditEntry: {
            /** @description What. */
            action: string;
            /** @description Who. */
            actor: string;
            /** @description What it is now. */
            after: unknown;
            /**
             * Format: int64
             * @description When, in milliseconds since 1970.
             */
            at_ms: number;
            /** @description What it was before. */
            before: unknown;
            /** @description blake3 of all of the above, hex. */
            hash: string;
            /** @description The organisation that it happened in. */
            organisation: string;
            /** @description Hash of the entry before this one, hex. */
            previous: string;
            /**
             * Format: int64
             * @description Its number, from 1; of all organisations.
             */
            seq: number;
            /** @description From where: an address, `cli`. */
            source: string;
            /** @description To what. */
            target: string;
        };
        /** @description An account's sum. */
        BalanceView: {
            /** @description The account's id. */
            account: string;
            /**
             * Format: int64
             * @description Debits less credits, in the currency's smallest unit: what is owed to others is negative.
             */
            amount: number;
            /** @description ISO 4217. */
            currency: string;
            /**
             * Format: int64
             * @description How many entries it has.
             */
            entries: number;
            /** @description `asset`, `liability`, `income` or `expense`. */
            kind: string;
            /** @description What it is for: `credit`, `vouchers-granted`, `clearing/<sovereign>` … */
            name: string;
            organisation: string;
        };
        /** @description Vouchers that were issued together. */
        BatchView: {
            /**
             * Format: int64
             * @description How many vouchers.
             */
            count: number;
            /** Format: int64 */
            created_at_ms: number;
            created_by: string;
            /**
             * Format: int64
             * @description What each is worth, in the currency's smallest unit.
             */
            credit: number;
            /** @description ISO 4217. */
            currency: string;
            id: string;
            /** @description The organisation that issued it. */
            issuer: string;
            name: string;
            /** @description Whether other Sovereigns may redeem them by their signature. */
            signed: boolean;
        };
        /** @description A redemption that was begun. */
        BegunView: {
            /** @description The run that does it; whoever issued the voucher can see it. */
            run: string;
            /** @description Opens `POST /api/v1/redeem/progress` for this run. */
            word: string;
        };
        /** @description A role in a part of the house. */
        Binding: {
            /**
             * @description A folder of workflows (`lab`), one workflow (`lab/grid`), or `*`.
             * @default *
             */
            folder?: string;
            /** @description The organisation it holds in; `*`: in all of them. */
            organisation: string;
            /** @description The role. */
            role: components["schemas"]["Role"];
        };
        /** @description How an organisation looks to people. */
        BrandView: {
            /**
             * @description Its colours. Text and what is behind it have a contrast of 4.5 to 1 at least.
             * @default {}
             */
            colours?: components["schemas"]["Colours"];
            /** @description An image: `data:image/png;base64,…` (or jpeg, webp) of at most 128 KiB, or an https address. */
            logo?: string | null;
            /**
             * @description What stands at the top of its pages; its title, if it is empty.
             * @default
             */
            title?: string;
        };
        /** @description What to do to which runs. */
        BulkBody: {
            /** @description What to do to each. */
            action: components["schemas"]["Action"];
            /** @description `next` of the call before. */
            cursor?: string | null;
            /**
             * Format: uint64
             * @description How many there were in the preview; refused if there are more or fewer now, or more than are counted (10,000).
             */
            expected_count?: number | null;
            /** @description Which runs. At least one condition. */
            filter: components["schemas"]["Which"];
            /**
             * @description Only say which runs they are.
             * @default true
             */
            preview?: boolean;
            /** @description Why; runs that are cancelled say so. */
            reason?: string | null;
        };
        /** @description What became of one run. */
        BulkResult: {
            /** @description Whether it was done. */
            done: boolean;
            /** @description The run that was launched for it, by `retry`. */
            launched?: string | null;
            /** @description Why it wasn't done. */
            problem?: components["schemas"]["ProblemShape"] | null;
            /** @description The run. */
            run: string;
        };
        /** @description What a bulk command would do, or did. */
        BulkView: {
            /**
             * Format: uint64
             * @description Runs that the filter finds; only at the first call.
             */
            count?: number | null;
            /** @description The first of them, in a preview. */
            items: components["schemas"]["RunView"][];
            /** @description Whether there are more than were counted. */
            more: boolean;
            /** @description `cursor` for the next call, if runs are left. */
            next?: string | null;
            /** @description What became of each, unless it is a preview. */
            results: components["schemas"]["BulkResult"][];
        };
        /** @description Sources that a run is pinned to. */
        BundleView: {
            /** @description The workflow's name. */
            entry: string;
            /** @description Sources by module name. */
            files: {
                [key: string]: string;
            };
        };
        /** @description Why a run is to end. */
        CancelBody: {
            /**
             * @description Why.
             * @default null
             */
            reason?: string | null;
        };
        /** @description Of which event. */
        Cause: {
            /**
             * Format: int64
             * @description When.
             * @default 0
             */
            at_ms?: number;
            /**
             * @description What happened.
             * @default
             */
            kind?: string;
            /**
             * @description Whose it is.
             * @default null
             */
            organisation?: string | null;
            /**
             * @description The run, or `system`.
             * @default
             */
            run?: string;
            /**
             * Format: int64
             * @description The event's number in it.
             * @default 0
             */
            seq?: number;
            /**
             * @description The run's workflow.
             * @default null
             */
            workflow?: string | null;
        };
        /** @description One thing that has to be so. */
        Check: {
            /** @description What was looked at: `database`, `schema`, `executes`, `stopping`. */
            name: string;
            /** @description Whether it is as it has to be. */
            ok: boolean;
            /** @description What was found. */
            reason: string;
        };
        /** @description A source to check. */
        CheckBody: {
            /**
             * @description The source; if none is given, the file as it is.
             * @default null
             */
            source?: string | null;
        };
        /** @description A document, as text or as a value. */
        CheckBody2: {
            /** @description The document itself. */
            document?: unknown;
            /** @description YAML or JSON; mistakes then have lines and columns. */
            text?: string | null;
        };
        /** @description Whether a name can be had. */
        CheckView: {
            /** @description Whether it can. */
            available: boolean;
            /** @description The same in words. */
            detail?: string | null;
            /** @description Why not: `unsupported-pool`, `reserved`, `taken` or `invalid-format`. */
            reason?: string | null;
        };
        /** @description What a look at the whole ledger has found. */
        CheckView2: {
            /** Format: int64 */
            entries: number;
            /** @description What isn't as it has to be; empty if all is well. */
            faults: string[];
            /** Format: int64 */
            transactions: number;
        };
        /** @description What was found in a source. */
        Checked: {
            /**
             * @description What is wrong: `severity`, `code`, `message`, `file`, `line`, `column`, `help`, and all of it as
             *     `text`, with the line of the source.
             */
            diagnostics: unknown[];
            /** @description What that asks for. */
            grants: components["schemas"]["Grant"][];
            /** @description Those of them that the server's policy doesn't allow in its folder. */
            refused_by_policy: string[];
            /** @description Whether it can be launched. */
            sound: boolean;
            /** @description Header of the source that was sent, if it can be read: what a form is made from. */
            workflow?: components["schemas"]["WorkflowHeader"] | null;
        };
        /** @description A claim. */
        ClaimView: {
            /**
             * Format: int64
             * @description In the currency's smallest unit.
             */
            amount: number;
            /** Format: int64 */
            created_at_ms: number;
            currency: string;
            /** @description `out`: asked of that Sovereign; `in`: it has asked. */
            direction: string;
            /** @description The redemption where it was redeemed. */
            id: string;
            /** @description The organisation here that it is booked for. */
            organisation: string;
            /** @description Why it is disputed. */
            reason?: string | null;
            /** Format: int64 */
            settled_at_ms?: number | null;
            /** @description `pending`, `asked`, `accepted` or `disputed`. */
            state: string;
            /** @description The voucher as it is known here. */
            voucher: string;
        };
        /** @description The clocks are put forward or back. */
        ClockChangeView: {
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            at_ms: number;
            /**
             * Format: int64
             * @description By how many minutes; less than nothing is back.
             */
            by_minutes: number;
            /** @description When the pattern happens around it. */
            next: components["schemas"]["Instant"][];
        };
        /** @description Colours, `#rrggbb`. */
        Colours: {
            /** @description Behind everything; white if nothing is said. */
            background?: string | null;
            /** @description Text on buttons; white if nothing is said. */
            on_primary?: string | null;
            /** @description Behind buttons, and for links. */
            primary?: string | null;
            /** @description Text on that; almost black if nothing is said. */
            text?: string | null;
        };
        /** @description Where a name is to point. */
        CommitBody: {
            /** @description 1 to 16 IPv4 addresses. */
            addresses: string[];
            /** @description What reserving it gave. */
            token: string;
        };
        /** @description A name that was given out. */
        CommittedView: {
            /** @description Where `@ * console api gitea harbor` point to. */
            addresses: string[];
            /** @description The full name. */
            name: string;
        };
        /** @description Runs that exclude one another. */
        Concurrency: {
            /** @description What they share, with inputs in braces: `lab/{lab}`. */
            key: string;
            /**
             * Format: uint32
             * @description How many may run at once.
             */
            limit: number;
            /** @description What a launch beyond the limit does. */
            on_conflict: components["schemas"]["OnConflict"];
        };
        /** @description What the conformance kit found. */
        ConformanceView: {
            /** @description Each case: `name`, `passed`, and `found`: what was found instead, or what there is to say. */
            checks: unknown[];
            /** @description Whether it could be approved. */
            passed: boolean;
        };
        /** @description How a thing is reached. */
        ConsoleKind: "command" | "link";
        /** @description A way to get at a thing: a command for a terminal on the machine that made it, or an address for a browser. */
        ConsoleView: {
            /** @description The command: one line. */
            command?: string | null;
            /** @description `command` or `link`. */
            kind: components["schemas"]["ConsoleKind"];
            /** @description What it opens. */
            title: string;
            /** @description The address: `http` or `https`. */
            url?: string | null;
        };
        /** @description The consoles of a node. */
        ConsolesView: {
            /** @description What can be opened now. */
            kinds: components["schemas"]["NodeConsole"][];
            /** @description Whether you may type, or only look. */
            may_type: boolean;
            /** @description The organisation whose lab it is. */
            organisation: string;
        };
        /** @description An amount of money. */
        CostView: {
            /**
             * Format: int64
             * @description In the currency's smallest unit: 490 is 4.90 EUR.
             */
            amount: number;
            /** @description The currency's three letters (ISO 4217). */
            currency: string;
            /**
             * Format: uint32
             * @description Digits behind the point when it is written: 2 for EUR.
             */
            digits: number;
        };
        /** @description A decision. */
        DecisionBody: {
            /** @description Approved, or denied. */
            approved: boolean;
            /** @description Why. */
            comment?: string | null;
            /** @description Digest of what was shown, from the approval's request. */
            digest: string;
            /**
             * @description The form, filled in; needed to approve if there is one.
             * @default null
             */
            form?: unknown;
        };
        /** @description A decision that was made. */
        DecisionView: {
            /** @description Approved, or denied. */
            approved: boolean;
            /** @description Who decided. */
            by: string;
            /** @description Why. */
            comment?: string | null;
            /** @description Digest of what was shown. */
            digest: string;
            /** @description What was filled in. */
            form: unknown;
        };
        /** @description What a delivery has done. */
        DeliveredView: {
            /** @description Whether the run was there already: the same delivery arrived before. */
            existing: boolean;
            /** @description The run that it launched or signalled. */
            run: string;
        };
        /** @description A message, and what has become of it. */
        DeliveryView: {
            /**
             * Format: uint32
             * @description Attempts so far.
             */
            attempts: number;
            /** @description Of which event; for a digest the first one. */
            cause: components["schemas"]["Cause"];
            /** @description The digest that it stands in. */
            digest?: string | null;
            /**
             * Format: int64
             * @description When it was delivered, or given up.
             */
            done_at_ms?: number | null;
            /**
             * Format: int64
             * @description When it was to be sent first.
             */
            due_at_ms: number;
            /** @description Its id. */
            id: string;
            /** @description What is told. */
            message: components["schemas"]["Message"];
            /** @description The organisation of its rule. */
            organisation: string;
            /** @description Why the last one failed, or what the other side said besides. */
            reason: string;
            /** @description The rule's id. */
            rule: string;
            /** @description Its name at the time. */
            rule_name: string;
            /** @description How much it matters. */
            severity: components["schemas"]["Severity"];
            /** @description What becomes of it. */
            state: components["schemas"]["State"];
            /** @description The target's name. */
            target: string;
            /** @description Whether an attempt got no answer and may have arrived: then it may come twice. */
            unknown: boolean;
        };
        /** @description What differs between two runs; what doesn't differ is null or left out. */
        DiffView: {
            /** @description From launch to end, where ended. */
            elapsed_ms: [
                number | null,
                number | null
            ];
            /** @description Inputs. */
            input?: [
                unknown,
                unknown
            ] | null;
            /** @description Outputs. */
            output?: [
                unknown,
                unknown
            ] | null;
            /** @description Sources: module name, text in the first, text in the second. */
            sources: [
                string,
                string | null,
                string | null
            ][];
            /** @description Their states. */
            states: [
                string,
                string
            ];
            /** @description Steps, in order of paths: `path`, `first`, `second`, `elapsed_ms`. */
            steps: unknown[];
            /** @description Workflow names. */
            workflow?: [
                string,
                string
            ] | null;
        };
        /** @description What was looked at on the server's machine. */
        DoctorView: {
            /** @description What was looked at. */
            findings: components["schemas"]["FindingView"][];
        };
        /** @description What is filled in. */
        DraftBody: {
            /** @description The input so far; it need not fit yet. */
            input: unknown;
            /**
             * @description The step of the form that it was filled in up to.
             * @default
             */
            step?: string;
        };
        /** @description A draft that was kept. */
        DraftKept: {
            /**
             * Format: int64
             * @description For `If-Match`.
             */
            version: number;
        };
        /** @description A draft. */
        DraftView: {
            /**
             * Format: int64
             * @description When it was begun.
             */
            created_at_ms: number;
            /**
             * Format: int64
             * @description When it goes by itself.
             */
            expires_at_ms?: number | null;
            /** @description Its input so far, without what the schema calls secret. */
            input: unknown;
            /** @description The step of the form that it was filled in up to. */
            step: string;
            /**
             * Format: int64
             * @description When it was last changed.
             */
            updated_at_ms: number;
            /**
             * Format: int64
             * @description For `If-Match`: rises with every change.
             */
            version: number;
            /** @description The workflow. */
            workflow: string;
        };
        /** @description Whether a node should claim runs. */
        DrainBody: {
            /** @description Whether it should claim nothing more, and hand over what it evaluates. */
            draining: boolean;
        };
        /** @description What is drawn. */
        DrawingBody: {
            /**
             * @description What tells the deployed document from which this was made; whoever draws chooses it.
             * @default
             */
            base?: string;
            /** @description The document, YAML or JSON. It needn't be right yet. */
            text: string;
        };
        /** @description A drawing that was kept. */
        DrawingKept: {
            /**
             * Format: int64
             * @description For `If-Match`.
             */
            version: number;
        };
        /** @description A drawing without its text. */
        DrawingRow: {
            /** @description Who changed it last. */
            by: string;
            /** @description What its organisation calls it. */
            lab: string;
            /**
             * Format: uint
             * @description How many links.
             */
            links: number;
            /**
             * Format: uint
             * @description How many networks.
             */
            networks: number;
            /**
             * Format: uint
             * @description How many nodes it had when it could be read last.
             */
            nodes: number;
            /** @description Whose lab it is. */
            organisation: string;
            /**
             * Format: int64
             * @description When it was last changed.
             */
            updated_at_ms: number;
        };
        /** @description A drawing. */
        DrawingView: {
            /** @description What was said of the deployed document from which it was made. */
            base: string;
            /** @description Who changed it last. */
            by: string;
            /** @description What its organisation calls it. */
            lab: string;
            /** @description Whose lab it is. */
            organisation: string;
            /** @description The document, YAML or JSON. */
            text: string;
            /**
             * Format: int64
             * @description When it was last changed.
             */
            updated_at_ms: number;
            /**
             * Format: int64
             * @description For `If-Match`: rises with every change.
             */
            version: number;
        };
        /** @description Who else is at it. */
        Editing: {
            /** @description Others, those who came first first. Whoever isn't heard of for 30 seconds has left. */
            others: components["schemas"]["Editor"][];
        };
        /** @description Who is at an editor. */
        EditingBody: {
            /**
             * @description Whether it has changes that aren't saved.
             * @default false
             */
            changed?: boolean;
            /**
             * @description The page is being left.
             * @default false
             */
            leaving?: boolean;
            /** @description A word of the page's own choice, which tells two pages of one person apart. */
            seat: string;
        };
        /** @description Somebody at an editor. */
        Editor: {
            /** @description The person. */
            by: string;
            /** @description Whether they have changes that aren't saved. */
            changed: boolean;
            /**
             * Format: int64
             * @description Since when, milliseconds since 1970.
             */
            since_ms: number;
        };
        /** @description An entry. */
        EntryView: {
            account: string;
            /**
             * Format: int64
             * @description Debit positive, credit negative, in the currency's smallest unit.
             */
            amount: number;
            /** Format: int64 */
            at_ms: number;
            currency: string;
            description: string;
            /** @description `redeem`, `reverse`, `settle`, `dispute`, `write_off` or `pay`. */
            kind: string;
            organisation: string;
            /** @description What it is about: a redemption, a claim, the transaction that is reversed. */
            reference: string;
            /**
             * Format: int64
             * @description Its place in the transaction, from 1.
             */
            seq: number;
            transaction: string;
        };
        /** @description A named place of an organisation that apps go into. */
        EnvironmentView: {
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description The domain that its apps are reached under. */
            domain?: string | null;
            /** @description The rest: what the workflows that fill it need to know. For members of the organisation only. */
            facts?: unknown;
            /** @description Its name, unique in its organisation. */
            name: string;
            /** @description The organisation. */
            organisation: string;
            /** @description The run that has made it. For members of the organisation only. */
            run?: string | null;
        };
        /** @description One event. In a stream of one run, the frame's `id` is `seq`, its `event` is `kind`. */
        Event: {
            /** @description When it was committed, milliseconds since 1970. */
            at_ms: number;
            /** @description The rest, by kind. */
            data: {
                [key: string]: unknown;
            };
            /** @enum {string} */
            kind: "run.launched" | "run.started" | "run.waiting" | "run.succeeded" | "run.failed" | "run.cancelling" | "run.rolling_back" | "run.rolled_back" | "run.cancelled" | "run.rollback_stuck" | "run.restarted" | "run.upgraded" | "run.parked" | "step.started" | "step.retrying" | "step.succeeded" | "step.failed" | "step.waiting" | "step.in_doubt" | "step.resolved" | "undo.started" | "undo.done" | "undo.failed" | "undo.skipped" | "signal.received" | "approval.decided" | "workflow.activated" | "workflow.rejected" | "workflow.removed" | "plugin.activated" | "plugin.rejected" | "plugin.removed" | "lab.discovered_link" | "lab.missing_link" | "lab.changed_link" | "organisation.created" | "organisation.suspended" | "organisation.resumed" | "organisation.removed" | "voucher.redeemed" | "output.log" | "output.progress" | "output.annotation";
            /** @description The step, or the output's place. */
            path?: string | null;
            /** @description The run; `system` for events of no run. */
            run: string;
            /** @description Its number in the run, without a gap. */
            seq: number;
        };
        /** @description Why something didn't happen. */
        Failure: {
            /**
             * Format: int64
             * @description When.
             */
            at_ms: number;
            /** @description The error's code. */
            code: string;
            /** @description What went wrong. */
            message: string;
        };
        /** @description What is wrong. */
        Fault: {
            /**
             * Format: int64
             * @description The entry.
             */
            seq: number;
            /** @description In words. */
            what: string;
        };
        /** @description What fetches. */
        FetchBody: {
            /**
             * @description A word that the machine chooses and tells nobody else. With the same one it may fetch again until its first report: the
             *     answer may have been lost.
             * @default null
             */
            machine?: string | null;
            /** @description The claim's word, which the machine was booted with. */
            word: string;
        };
        /** @description What is fetched. */
        FetchedView: {
            /** @description What reports are sent with from now on. */
            report_word: string;
            /** @description The values by their names. */
            values: {
                [key: string]: string;
            };
        };
        /** @description A workflow's file, or a module's. */
        FileShown: {
            /** @description Whether it is what is in use. */
            in_use: boolean;
            /** @description Whether it is a module, which other files import. */
            module: boolean;
            /** @description Names of the modules that can be imported. */
            modules: string[];
            /** @description `area/name`, or `lib/name`. */
            name: string;
            /** @description Why it isn't what is in use: it has mistakes, or waits for an admin. */
            problem?: unknown;
            /** @description Its scenarios, `<name>.test.rhai`. */
            scenarios?: string | null;
            /** @description Digest of those, for a change. */
            scenarios_digest?: string | null;
            /** @description What stands in the file, mistakes and all; if it is gone, what is in use. */
            source: string;
            /** @description Digest of that, for a change. */
            source_digest: string;
            /**
             * Format: int64
             * @description Number of the version in use.
             */
            version?: number | null;
        };
        /** @description Files that aren't saved. */
        FilesBody: {
            /**
             * @description Texts by their paths in the plugin's folder; none: what is saved.
             * @default null
             */
            files?: {
                [key: string]: string;
            } | null;
        };
        /** @description A plugin's files. */
        FilesView: {
            /** @description The files that were approved for the organisation. */
            approved?: {
                [key: string]: string;
            } | null;
            /** @description Digest of those files, as `expected` takes it. */
            digest?: string | null;
            /** @description What is in its folder: texts by their paths there. None: there is no such folder. */
            files?: {
                [key: string]: string;
            } | null;
            /** @description `kind/name`. */
            name: string;
        };
        /** @description One thing that was looked at. */
        FindingView: {
            /** @description What was found. */
            found: string;
            /** @description What it is good for, or how to get it; empty where it works. */
            help: string;
            /** @description What. */
            name: string;
            /** @description How it stands. */
            standing: components["schemas"]["StandingView"];
        };
        /** @description A launch out of turn. */
        FiredView: {
            /** @description The run. */
            id: string;
        };
        /** @description A grant, as it is written and in words. */
        Grant: {
            /** @description `module.verb:scope`. */
            grant: string;
            /** @description What it means. */
            words: string;
        };
        /** @description A page of events. */
        History: {
            /** @description The events, oldest first. */
            items: components["schemas"]["HistoryEvent"][];
            /**
             * Format: int64
             * @description `?after=` of the next page; absent if these were the last ones by now.
             */
            next?: number | null;
        };
        /** @description An event of a run. */
        HistoryEvent: {
            /**
             * Format: int64
             * @description When it was committed.
             */
            at_ms: number;
            /** @description The rest, by kind. */
            data: unknown;
            /**
             * @description What happened.
             * @enum {string}
             */
            kind: "run.launched" | "run.started" | "run.waiting" | "run.succeeded" | "run.failed" | "run.cancelling" | "run.rolling_back" | "run.rolled_back" | "run.cancelled" | "run.rollback_stuck" | "run.restarted" | "run.upgraded" | "run.parked" | "step.started" | "step.retrying" | "step.succeeded" | "step.failed" | "step.waiting" | "step.in_doubt" | "step.resolved" | "undo.started" | "undo.done" | "undo.failed" | "undo.skipped" | "signal.received" | "approval.decided" | "workflow.activated" | "workflow.rejected" | "workflow.removed" | "plugin.activated" | "plugin.rejected" | "plugin.removed" | "lab.discovered_link" | "lab.missing_link" | "lab.changed_link" | "organisation.created" | "organisation.suspended" | "organisation.resumed" | "organisation.removed" | "voucher.redeemed" | "output.log" | "output.progress" | "output.annotation";
            /** @description The step, or for outputs the lane and the output's ordinal in it. */
            path?: string | null;
            /** @description The run. */
            run: string;
            /**
             * Format: int64
             * @description Its number in the run, from 1, without a gap.
             */
            seq: number;
        };
        /** @description Another tool's topology. */
        ImportBody: {
            /**
             * @description Contents of files that it names, by path.
             * @default {}
             */
            files?: {
                [key: string]: string;
            };
            /** @description The topology: containerlab (YAML), EVE-NG (.unl) or nova-ve (JSON). */
            text: string;
        };
        /** @description What became of another tool's topology. */
        Imported: {
            /** @description The document. */
            document: unknown;
            /** @description Which tool's it was: `containerlab`, `eve-ng`, `nova-ve`. */
            format: string;
            /** @description What has no place in it: `place` in the text, `what`, `why`. */
            not_taken: unknown;
            /** @description The document as YAML. */
            yaml: string;
        };
        /** @description An open approval, with its run in short. */
        InboxItem: {
            /**
             * Format: int64
             * @description When it was asked.
             */
            asked_at_ms: number;
            /** @description Decisions so far. */
            decisions: components["schemas"]["DecisionView"][];
            /** @description Who launched the run. */
            launched_by: string;
            /** @description Whether you may decide on it. */
            may_decide: boolean;
            /** @description The run's organisation. */
            organisation: string;
            /** @description The step. */
            path: string;
            /** @description What is asked. */
            request: components["schemas"]["RequestView"];
            /** @description The run. */
            run: string;
            /** @description Whether it is settled. */
            settled: boolean;
            /** @description Why you may not. */
            why_not?: string | null;
            /** @description The run's workflow. */
            workflow: string;
        };
        /** @description An input to check. */
        InputBody: {
            /** @description The input, as for a launch. */
            input: unknown;
        };
        /** @description What was found in an input. */
        InputChecked: {
            /** @description What doesn't fit; at most 20 places. */
            faults: components["schemas"]["InputFault"][];
            /** @description Whether a launch would take it. */
            fits: boolean;
        };
        /** @description A place that doesn't fit. */
        InputFault: {
            /** @description What is wrong there. */
            message: string;
            /** @description JSON Pointer into the input. */
            pointer: string;
        };
        /** @description An instant. */
        Instant: {
            /**
             * Format: int64
             * @description Milliseconds since 1970.
             */
            at_ms: number;
            /** @description As a wall clock in the schedule's time zone shows it. */
            wall: string;
        };
        /** @description Whom to invite. */
        InvitationBody: {
            /** @description Their e-mail address; nobody else can accept it. */
            email: string;
            /** @description What they will hold in the organisation; never more than you do. */
            role: components["schemas"]["Role"];
        };
        /** @description What somebody who was invited may know. */
        InvitationShown: {
            /** @description Who invites. */
            by: string;
            /** @description Whom it is for. */
            email: string;
            /**
             * Format: int64
             * @description When it ends.
             */
            expires_at_ms?: number | null;
            /** @description Whether the address is a user's: then they log in and accept it; else they choose a name and a password. */
            known: boolean;
            /** @description How the organisation looks. */
            look: components["schemas"]["Look"];
            /** @description The organisation that it is into. */
            organisation: string;
            /** @description What they will hold there. */
            role: components["schemas"]["Role"];
            /** @description How people call it. */
            title: string;
        };
        /** @description An invitation that is open. */
        InvitationView: {
            /** @description Who invites. */
            by: string;
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description Whom it is for. */
            email: string;
            /**
             * Format: int64
             * @description When it ends.
             */
            expires_at_ms?: number | null;
            /** @description Its id, which opens nothing. */
            id: string;
            /** @description The organisation that it is into. */
            organisation: string;
            /** @description What they will hold there. */
            role: components["schemas"]["Role"];
            /**
             * Format: int64
             * @description When a mail server last took it over; absent if none has.
             */
            sent_at_ms?: number | null;
        };
        /** @description An invitation whose link was made just now. */
        InvitedView: {
            /** @description Who invites. */
            by: string;
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description Whom it is for. */
            email: string;
            /**
             * Format: int64
             * @description When it ends.
             */
            expires_at_ms?: number | null;
            /** @description Its id, which opens nothing. */
            id: string;
            /** @description Where it is accepted, if it couldn't be sent: hand it over. It is told only now. */
            link?: string | null;
            /** @description The organisation that it is into. */
            organisation: string;
            /** @description Why not. */
            reason?: string;
            /** @description What they will hold there. */
            role: components["schemas"]["Role"];
            /** @description Whether a mail server has taken it over. */
            sent: boolean;
            /**
             * Format: int64
             * @description When a mail server last took it over; absent if none has.
             */
            sent_at_ms?: number | null;
        };
        /** @description Vouchers to issue. */
        IssueBody: {
            /**
             * Format: uint
             * @description How many vouchers: 1 to 10,000; 1 if nothing is said.
             * @default 1
             */
            count?: number;
            /**
             * Format: int64
             * @description What each is worth, in the currency's smallest unit.
             */
            credit: number;
            /** @description ISO 4217. */
            currency: string;
            /** @default  */
            description?: string;
            /**
             * Format: int64
             * @description When they can't be redeemed any more.
             */
            expires_at_ms?: number | null;
            /** @description The organisation that answers for them; if none is named, yours. */
            issuer?: string | null;
            /**
             * Format: int64
             * @description How often each may be redeemed (0: without limit).
             * @default 1
             */
            max_redemptions?: number;
            /** @description How people call the batch. */
            name: string;
            /**
             * @description Greatest numbers of redemptions by product (0: no limit); empty: for anything.
             * @default {}
             */
            products?: {
                [key: string]: number;
            };
            /**
             * @description Whether other Sovereigns may redeem them by their signature.
             * @default false
             */
            signed?: boolean;
        };
        /** @description A new key. */
        KeyBody: {
            /**
             * @description The key; without one, one is made.
             * @default null
             */
            key?: string | null;
            /**
             * @description The one before ends at once, instead of after a day.
             * @default false
             */
            revoke?: boolean;
        };
        /** @description This Sovereign's key. */
        KeyView: {
            /** @description What others find it by. */
            id: string;
            /** @description The Ed25519 key that its vouchers are signed with, 32 bytes in base64url. */
            public_key: string;
        };
        /** @description A document that is right. */
        LabChecked: {
            /** @description In its normal form: copies and defaults written out. */
            document: unknown;
            /** @description What it asks of the machine: `nodes`, `cpus`, `memory_mb`. */
            size: unknown;
            /** @description The normal form as YAML. */
            yaml: string;
        };
        /** @description A lab whose document is known. */
        LabRow: {
            /** @description What its organisation calls it. */
            lab: string;
            /**
             * Format: uint
             * @description How many links.
             */
            links: number;
            /**
             * Format: uint
             * @description How many networks.
             */
            networks: number;
            /**
             * Format: uint
             * @description How many nodes its document has.
             */
            nodes: number;
            /** @description Whose it is. */
            organisation: string;
        };
        /** @description A lab. */
        LabView: {
            /** @description What carries its mark now: `net`, `docker`, `qemu`, and `unknown`: what couldn't be looked at, with the reason. */
            actual: unknown;
            /** @description The document that it was made from; null if it isn't known. */
            document: unknown;
            /** @description What its organisation calls it. */
            lab: string;
            /** @description Whose it is. */
            organisation: string;
            /** @description What differs, as `lab::plan` tells it; null if the document isn't known. */
            plan: unknown;
            /** @description Why it can't be said what differs, if it can't. */
            unplanned?: string | null;
        };
        /** @description What to launch. */
        LaunchBody: {
            /**
             * @description Its input; missing fields get the defaults of the workflow's schema.
             * @default {}
             */
            input?: unknown;
            /** @description The organisation that the run belongs to; if none is named, the one that you may launch this workflow in. */
            organisation?: string | null;
            /** @description Id of a plan: the launch is refused if the workflow or the input isn't what was planned. */
            plan?: string | null;
            /**
             * @description Which of an organisation's runs begin first when there are more than workers: `low`, `normal` or `high`; if nothing
             *     is said, the workflow's own.
             */
            priority?: string | null;
            /**
             * @description Tags besides the workflow's own.
             * @default []
             */
            tags?: string[];
            /** @description The workflow: `area/name`. */
            workflow: string;
        };
        /** @description A launch. */
        Launched: {
            /**
             * Format: int64
             * @description What it was launched for: the instant of a schedule, the end of a run, the arrival of a delivery.
             */
            at_ms: number;
            /**
             * Format: int64
             * @description When it was launched.
             */
            launched_at_ms: number;
            /** @description The run; for a signal, the one that got it. */
            run?: string | null;
        };
        /** @description A launched run. */
        LaunchedView: {
            /** @description Whether it was there already: the idempotency key was used before, with the same input. */
            existing: boolean;
            /** @description The run's id. */
            id: string;
        };
        /** @description A link that somebody was given to come in once, and the password that they choose. */
        LinkUse: {
            /** @description The password from now on. */
            password: string;
            /** @description The word of the link: what stands behind `#link=`. */
            token: string;
        };
        /** @description A lock that is held. */
        LockView: {
            /**
             * Format: int64
             * @description Since when.
             */
            acquired_at_ms: number;
            /** @description Its name. */
            name: string;
            /** @description Who holds it. */
            run: string;
        };
        /** @description What somebody logs in with. */
        LogIn: {
            /** @description Code of the second factor, if there is one: six digits, or a recovery code. */
            code?: string | null;
            /** @description Name or e-mail address. */
            name: string;
            /** @description Password. */
            password: string;
        };
        /** @description One line. */
        LogLine: {
            /**
             * Format: int64
             * @description When it was committed.
             */
            at_ms: number;
            /** @description Facts that were logged with it. */
            fields: unknown;
            /** @description The branch that it comes from: empty for the run itself, `7/b1/` for the second branch of step 7. */
            lane: string;
            /** @description `debug`, `info`, `warn` or `error`. */
            level: string;
            /**
             * Format: uint64
             * @description Its number in the log, from 1. It never changes.
             */
            line: number;
            /** @description What was logged. */
            message: string;
            /**
             * Format: int64
             * @description Number of its event.
             */
            seq: number;
            /** @description Where in the script: file, line, column. */
            site: unknown;
        };
        /** @description Lines of a log. */
        LogPage: {
            /** @description The lines, oldest first. */
            lines: components["schemas"]["LogLine"][];
            /**
             * @description `?cursor=` of what comes next. There may be fewer lines than asked for, or none, and still more to come: one answer
             *     searches through 20,000 events at most.
             */
            next?: string | null;
        };
        /** @description What pages put at their top, and are coloured with. */
        Look: {
            /** @description Whether a brand says so, its own or one above it. */
            branded: boolean;
            /** @description Its colours. */
            colours: components["schemas"]["Colours"];
            /** @description An image, as the brand has it. */
            logo?: string | null;
            /** @description What stands at the top; how people call the organisation, if no brand says anything. Empty: the installation's own. */
            title: string;
        };
        /** @description A member, as whoever manages the organisation may know them. */
        MemberView: {
            /** @description What they hold in this organisation. */
            bindings: components["schemas"]["Binding"][];
            /** @description Whether they are kept out. */
            disabled: boolean;
            /** @description Where mail reaches them; for the organisation's own managers. */
            email?: string | null;
            /** @description Whether that is only said by whoever manages them. */
            email_unproved?: boolean;
            /** @description The user's name. */
            name: string;
            /** @description How people call them. */
            title: string;
        };
        /** @description What is told. */
        Message: {
            /**
             * @description The same for mail readers that show HTML.
             * @default
             */
            html?: string;
            /**
             * @description Where there is more.
             * @default null
             */
            link?: string | null;
            /**
             * @description The rest.
             * @default
             */
            text?: string;
            /**
             * @description One line.
             * @default
             */
            title?: string;
        };
        /** @description What to do about instants that passed while no server ran. */
        Missed: "skip" | "once" | "all";
        /** @description Whether somebody comes to type. */
        Mode: "type" | "watch";
        /** @description A name that isn't free. */
        NameView: {
            /** @description Where it points. */
            addresses: string[];
            /** @description The domain that it is under. */
            domain: string;
            /** @description The rest. */
            label: string;
            /** @description The full name. */
            name: string;
            /** @description The organisation that it is for. */
            organisation: string;
            /**
             * Format: int64
             * @description When it was reserved.
             */
            since_ms: number;
            /** @description `reserved`, `active` or `releasing`. */
            state: string;
            /**
             * Format: int64
             * @description When the reservation runs out, or the name is free.
             */
            until_ms?: number | null;
        };
        /** @description An organisation to be. */
        NewBody: {
            /**
             * @description What it is; a customer, if nothing is said.
             * @default customer
             */
            kind?: components["schemas"]["OrganisationKind"];
            /** @description The name: letters, digits and `._-`; never changes. */
            name: string;
            /** @description The organisation that it is under: the platform, or a franchisee. If nothing is said, the one that you manage. */
            parent?: string | null;
            /**
             * @description How much it may have.
             * @default {}
             */
            quotas?: components["schemas"]["Quotas"];
            /**
             * @description How people call it.
             * @default
             */
            title?: string;
        };
        /** @description What to rehearse and keep. */
        NewPlan: {
            /**
             * @description Its input, as for a launch.
             * @default null
             */
            input?: unknown;
            /** @description The organisation that it is for; if none is named, the one that you may launch this workflow in. */
            organisation?: string | null;
            /** @description The workflow: `area/name`. */
            workflow: string;
        };
        /** @description A rule to be. */
        NewRule: {
            /**
             * @description What it is for.
             * @default
             */
            description?: string;
            /**
             * @description Over how long messages are collected into one: `15m`, up to `24h`. None: each is told at once.
             * @default null
             */
            digest?: string | null;
            /** @description How people will call it. */
            name: string;
            /**
             * @description Kinds of events, with `*`: `run.failed`, `run.*`, `approval.requested`, `lab.*`.
             * @default []
             */
            on?: string[];
            /**
             * @description The organisation; if none is named, yours.
             * @default null
             */
            organisation?: string | null;
            /**
             * @description Of these organisations, or `*`: only for rules of the platform, by whoever administers all of them. None: of its own.
             * @default []
             */
            organisations?: string[];
            /**
             * @description When people aren't to be disturbed: what happens then is told afterwards.
             * @default null
             */
            quiet?: components["schemas"]["Quiet"] | null;
            /**
             * @description Only what matters so much, or more.
             * @default info
             */
            severity?: components["schemas"]["Severity"];
            /**
             * @description Names of targets: its organisation's, or the configuration's.
             * @default []
             */
            targets?: string[];
            /**
             * @description A text instead of the usual one.
             * @default null
             */
            text?: string | null;
            /**
             * @description A title instead of the usual one; `${/workflow}`, `${/run}`, `${/kind}`, `${/data/…}` and `${/link}` are filled in.
             * @default null
             */
            title?: string | null;
            /**
             * @description Of runs of these workflows or folders; none: of all.
             * @default []
             */
            workflows?: string[];
        };
        /** @description A schedule to be. */
        NewSchedule: {
            /** @description When: five fields (minute, hour, day of month, month, day of week), or six with seconds in front. */
            cron: string;
            /**
             * @description What it is for.
             * @default
             */
            description?: string;
            /**
             * Format: int64
             * @description No instant from this on.
             * @default null
             */
            ends_at_ms?: number | null;
            /**
             * @description With which input. `${/schedule/at}` and `${/schedule/at_ms}` are filled in with the instant.
             * @default {}
             */
            input?: unknown;
            /**
             * @description Launch up to so much later: `5m`. At most a day.
             * @default null
             */
            jitter?: string | null;
            /**
             * @description What to do about instants that passed while no server ran.
             * @default once
             */
            missed?: components["schemas"]["Missed"];
            /** @description How people will call it. */
            name: string;
            /**
             * @description The organisation; if none is named, the one that you may edit this workflow in.
             * @default null
             */
            organisation?: string | null;
            /**
             * @description What to do while the run before is still open.
             * @default skip
             */
            overlap?: components["schemas"]["Overlap"];
            /**
             * @description At rest from the beginning.
             * @default false
             */
            paused?: boolean;
            /**
             * Format: int64
             * @description No instant before this.
             * @default null
             */
            starts_at_ms?: number | null;
            /**
             * @description With which tags.
             * @default []
             */
            tags?: string[];
            /**
             * @description By whose clocks: a name of the IANA database.
             * @default UTC
             */
            time_zone?: string;
            /** @description What to launch: `area/name`. */
            workflow: string;
        };
        /** @description A target to be. */
        NewTarget: {
            /**
             * @description What it is for.
             * @default
             */
            description?: string;
            /** @description 1 to 100 letters, digits, `-`, `_` and `.`. */
            name: string;
            /**
             * @description The organisation; if none is named, yours.
             * @default null
             */
            organisation?: string | null;
            /**
             * Format: uint32
             * @description Messages in a minute, 1 to 1000; 30 if nothing is said.
             * @default null
             */
            per_minute?: number | null;
            /**
             * @description The access token (ntfy), or the key (webhook: `whsec_` and base64).
             * @default
             */
            secret?: string;
            /**
             * @description Who gets the mail, up to 100 addresses.
             * @default []
             */
            to?: string[];
            /**
             * @description The address: of the webhook, or of the ntfy server with the topic at its end. Not for mail.
             * @default
             */
            url?: string;
            /** @description The way. */
            way: components["schemas"]["Way"];
        };
        /** @description A trigger to be. */
        NewTrigger: {
            /**
             * @description What it is for.
             * @default
             */
            description?: string;
            /**
             * @description With which input. `${/run/id}`, `${/run/output/…}`, `${/run/input/…}`, `${/run/error/message}` … are filled in.
             * @default {}
             */
            input?: unknown;
            /** @description How people will call it. */
            name: string;
            /** @description The runs that it waits for. */
            on: components["schemas"]["On"];
            /**
             * @description The organisation; if none is named, the one that you may edit this workflow in.
             * @default null
             */
            organisation?: string | null;
            /**
             * @description At rest from the beginning.
             * @default false
             */
            paused?: boolean;
            /**
             * @description With which tags.
             * @default []
             */
            tags?: string[];
            /** @description What to launch: `area/name`. */
            workflow: string;
        };
        /** @description A user to be. */
        NewUser: {
            /**
             * @description What they may do, and where.
             * @default []
             */
            bindings?: components["schemas"]["Binding"][];
            /** @description Where mail reaches them; also logs in, if an admin of the platform says it. */
            email?: string | null;
            /** @description The name: letters, digits and `._-`; never changes. */
            name: string;
            /** @description The organisation that they belong to; `platform` if nothing is said. */
            organisation?: string | null;
            /** @description At least 10 characters; without one they can't log in with a password. */
            password?: string | null;
            /**
             * @description How people call them.
             * @default
             */
            title?: string;
        };
        /** @description A webhook to be. */
        NewWebhook: {
            /** @description What a delivery does. */
            action: components["schemas"]["Action2"];
            /**
             * @description What it is for.
             * @default
             */
            description?: string;
            /**
             * @description A key that the sender has already; without one, one is made.
             * @default null
             */
            key?: string | null;
            /** @description How people will call it. */
            name: string;
            /**
             * @description The organisation; if none is named, the one that you may edit this workflow in.
             * @default null
             */
            organisation?: string | null;
            /**
             * @description At rest from the beginning.
             * @default false
             */
            paused?: boolean;
            /**
             * @description How deliveries are signed.
             * @default standard
             */
            scheme?: components["schemas"]["Scheme"];
            /**
             * @description How far a delivery's time may be off: `5m`, if nothing is said. 10 seconds to an hour.
             * @default null
             */
            window?: string | null;
        };
        /** @description What a console shows of a node. */
        NodeConsole: "shell" | "serial" | "ssh" | "telnet" | "vnc" | "guac";
        /** @description What a node does. */
        NodeState: "active" | "draining" | "drained" | "lost";
        /** @description A node. */
        NodeView: {
            /** @description Whether it answers this request. */
            here: boolean;
            /** @description Its name. */
            id: string;
            /**
             * Format: uint32
             * @description Runs that it evaluates.
             */
            running: number;
            /**
             * Format: int64
             * @description When it was last heard of.
             */
            seen_at_ms: number;
            /**
             * Format: int64
             * @description Since when it is there.
             */
            started_at_ms: number;
            /** @description What it does. */
            state: components["schemas"]["NodeState"];
            /** @description Its program's version. */
            version: string;
            /**
             * Format: uint32
             * @description Runs that it evaluates at once, at most.
             */
            workers: number;
        };
        /** @description The runs that a trigger waits for. */
        On: {
            /** @description That end so: `succeeded`, `failed` (nothing was undone), `rolled_back`, `cancelled`, `rollback_stuck`. */
            states: string[];
            /**
             * @description Only those with this tag.
             * @default null
             */
            tag?: string | null;
            /** @description Of this workflow (`web/deploy`), of a folder of them (`web`), or of all (`*`). */
            workflow: string;
        };
        /** @description What a launch beyond a concurrency limit does. */
        OnConflict: "queue" | "reject" | "cancel_previous";
        /** @description What is to be changed; what isn't given stays. */
        OrganisationChange: {
            /** @description Whether its members are kept from acting in it; for whoever stands above it. */
            suspended?: boolean | null;
            /** @description How people call it. */
            title?: string | null;
        };
        /** @description What an organisation is to the house. */
        OrganisationKind: "platform" | "franchisee" | "customer";
        /** @description An organisation. */
        OrganisationView: {
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description What it is. */
            kind: components["schemas"]["OrganisationKind"];
            /** @description The name, which never changes. */
            name: string;
            /** @description The organisation that it is under; absent for the platform, and for those who have nothing to do with that one. */
            parent?: string | null;
            /** @description How much it may have, together with those under it. */
            quotas: components["schemas"]["Quotas"];
            /** @description Why, if somebody has said so. */
            reason?: string;
            /** @description Whether its members are kept from acting in it. */
            suspended: boolean;
            /** @description How people call it. */
            title: string;
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
        };
        /** @description What to do while the run before is still open. */
        Overlap: "allow" | "skip" | "queue" | "cancel_previous";
        /** @description A page of a list. */
        Page: {
            /** @description What stands on it. */
            items: components["schemas"]["RunView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page10: {
            /** @description What stands on it. */
            items: components["schemas"]["VersionView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page11: {
            /** @description What stands on it. */
            items: components["schemas"]["PlanInShort"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page12: {
            /** @description What stands on it. */
            items: components["schemas"]["PluginView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page13: {
            /** @description What stands on it. */
            items: components["schemas"]["NameView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page14: {
            /** @description What stands on it. */
            items: components["schemas"]["VoucherView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page15: {
            /** @description What stands on it. */
            items: components["schemas"]["EntryView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page16: {
            /** @description What stands on it. */
            items: components["schemas"]["ScheduleView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page17: {
            /** @description What stands on it. */
            items: components["schemas"]["WebhookView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page18: {
            /** @description What stands on it. */
            items: components["schemas"]["TriggerView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page19: {
            /** @description What stands on it. */
            items: components["schemas"]["TargetView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page2: {
            /** @description What stands on it. */
            items: components["schemas"]["StepView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page20: {
            /** @description What stands on it. */
            items: components["schemas"]["RuleView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page21: {
            /** @description What stands on it. */
            items: components["schemas"]["DeliveryView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page3: {
            /** @description What stands on it. */
            items: components["schemas"]["InboxItem"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page4: {
            /** @description What stands on it. */
            items: components["schemas"]["ResourceView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page5: {
            /** @description What stands on it. */
            items: components["schemas"]["UserView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page6: {
            /** @description What stands on it. */
            items: components["schemas"]["TokenView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page7: {
            /** @description What stands on it. */
            items: components["schemas"]["OrganisationView"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page8: {
            /** @description What stands on it. */
            items: components["schemas"]["AuditEntry"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description A page of a list. */
        Page9: {
            /** @description What stands on it. */
            items: components["schemas"]["WorkflowInShort"][];
            /** @description `?cursor=` of the next page; absent on the last one. */
            next?: string | null;
        };
        /** @description The present password, once more. */
        PasswordAgain: {
            /** @description The present password. */
            current: string;
        };
        /** @description A new password. */
        PasswordChange: {
            /** @description The present one. */
            current: string;
            /** @description The new one. */
            password: string;
        };
        /** @description A password that was made up; told once. */
        PasswordMade: {
            /** @description The password; absent if it was given. */
            password?: string | null;
        };
        /** @description A new password. */
        PasswordReset: {
            /** @description At least 10 characters; one is made up if nothing is given. */
            password?: string | null;
        };
        /** @description A payment. */
        PaymentBody: {
            /**
             * Format: int64
             * @description In the currency's smallest unit; at most what is owed.
             */
            amount: number;
            /** @description ISO 4217. */
            currency: string;
            /** @description `received` or `made`. */
            direction: components["schemas"]["PaymentDirection"];
            /** @description The organisation here that it is booked for; if none is named, the one that redeems the Sovereign's vouchers. */
            organisation?: string | null;
            /** @description What the bank calls it, 1 to 64 characters: the same is booked once. */
            reference: string;
        };
        /** @description Which way money went. */
        PaymentDirection: "received" | "made";
        /** @description What was booked. */
        PaymentView: {
            /** @description Its id in the ledger. */
            transaction: string;
        };
        /** @description What can be allowed. */
        Permission: "read" | "launch" | "operate" | "watch_consoles" | "use_consoles" | "approve" | "edit" | "manage" | "administer";
        /** @description Something that has begun. */
        PhaseView: {
            /** Format: int64 */
            at_ms: number;
            message: string;
        };
        /** @description What is to be compared with what is there. */
        PlanBody: {
            /** @description The document; its name says which lab. */
            document: unknown;
            /** @description Whose lab it is to be; the platform's if nothing is said. */
            organisation?: string | null;
        };
        /** @description A plan in a list. */
        PlanInShort: {
            /**
             * Format: int64
             * @description When, in milliseconds since 1970.
             */
            at_ms: number;
            /** @description Who planned it. */
            by: string;
            /** @description Whether these sources are still in use. */
            current: boolean;
            /** @description Digest of what a run would do. */
            digest: string;
            /**
             * Format: int64
             * @description When it goes by itself.
             */
            expires_at_ms?: number | null;
            /** @description Its id, for a launch. */
            id: string;
            /** @description The organisation that it is for. */
            organisation: string;
            /** @description Digest of its sources: what a run would have been pinned to. */
            sources: string;
            /** @description How the rehearsal ended. */
            state: string;
            /**
             * Format: int64
             * @description Number of the version that was in use.
             */
            version?: number | null;
            /** @description The workflow. */
            workflow: string;
        };
        /** @description A plan. */
        PlanShown: {
            /**
             * Format: int64
             * @description When, in milliseconds since 1970.
             */
            at_ms: number;
            /** @description Who planned it. */
            by: string;
            /** @description Whether these sources are still in use. */
            current: boolean;
            /** @description Digest of what a run would do. */
            digest: string;
            /**
             * Format: int64
             * @description When it goes by itself.
             */
            expires_at_ms?: number | null;
            /** @description Its id, for a launch. */
            id: string;
            /** @description Its input with the schema's defaults, and without what the schema calls secret. */
            input: unknown;
            /** @description The organisation that it is for. */
            organisation: string;
            /** @description What a run would do, as the rehearsal answered. */
            plan: unknown;
            /** @description Fields of the input that aren't kept, for they are secret. */
            removed: string[];
            /** @description Digest of its sources: what a run would have been pinned to. */
            sources: string;
            /** @description How the rehearsal ended. */
            state: string;
            /**
             * Format: int64
             * @description Number of the version that was in use.
             */
            version?: number | null;
            /** @description The workflow. */
            workflow: string;
        };
        /** @description A version that was put in use. */
        PluginActivated: {
            /** @description What it may reach, and the version in use before couldn't. */
            added: string[];
            /**
             * Format: int64
             * @description Its number.
             */
            version: number;
        };
        /** @description What is to be said of a plugin's files. */
        PluginCheckedView: {
            /** @description Mistakes: `severity`, `code`, `message`, `file`, `line`, `column`, `help`. None: it is sound. */
            diagnostics: unknown[];
            /** @description Digest that an approval would be for, if it is sound. */
            digest?: string | null;
            /** @description Its manifest, if that can be read. */
            manifest?: unknown;
            /** @description What it asks to reach, as grants. */
            permissions: string[];
        };
        /** @description A plugin with its manifest. */
        PluginShown: {
            /** @description Digest of the version in use. */
            digest?: string | null;
            /**
             * @description `plugin.toml` of the version in use: `id`, `version`, `api`, `author`, `title`, `capabilities`, `credentials`, `hosts`,
             *     `limits`.
             */
            manifest?: unknown;
            /** @description `kind/name`. */
            name: string;
            /** @description What the version in use may reach: `http:GET https://api.example.net/v1/*`. */
            permissions: string[];
            /** @description Why its files aren't what is in use: `workflow_invalid`, with `site` and `help`, or `permission_denied`. */
            problem?: unknown;
            /** @description How its files stand to the version in use. */
            state: components["schemas"]["PluginState"];
            /**
             * Format: int64
             * @description Number of the version in use; absent if none is.
             */
            version?: number | null;
        };
        /** @description How a plugin's files stand to the version in use. */
        PluginState: "in_use" | "behind" | "unusable";
        /** @description A plugin. */
        PluginView: {
            /** @description Digest of the version in use. */
            digest?: string | null;
            /** @description `kind/name`. */
            name: string;
            /** @description What the version in use may reach: `http:GET https://api.example.net/v1/*`. */
            permissions: string[];
            /** @description Why its files aren't what is in use: `workflow_invalid`, with `site` and `help`, or `permission_denied`. */
            problem?: unknown;
            /** @description How its files stand to the version in use. */
            state: components["schemas"]["PluginState"];
            /**
             * Format: int64
             * @description Number of the version in use; absent if none is.
             */
            version?: number | null;
        };
        /** @description What a code is worth. */
        PreviewView: {
            /**
             * Format: int64
             * @description In the currency's smallest unit.
             */
            credit: number;
            /** @description ISO 4217. */
            currency: string;
            description: string;
            /** Format: int64 */
            expires_at_ms?: number | null;
            /** @description How whoever issued it looks. */
            from: components["schemas"]["Look"];
            /** @description What it can be redeemed for; empty: for anything. */
            products: string[];
        };
        /** @description When a pattern happens. */
        PreviewView2: {
            /** @description The next changes of the clocks, two at most, where the pattern happens so near that they concern it. */
            clock_changes: components["schemas"]["ClockChangeView"][];
            /** @description The next instants. */
            next: components["schemas"]["Instant"][];
            /** @description The pattern in words. */
            words: string;
        };
        /** @description What failed, why, where, and what to do about it (RFC 9457). */
        Problem: {
            /**
             * @description The stable code.
             * @enum {string}
             */
            code: "invalid_input" | "usage" | "workflow_not_found" | "workflow_invalid" | "run_not_found" | "illegal_transition" | "idempotency_conflict" | "permission_denied" | "invalid_argument" | "script_error" | "limit_exceeded" | "divergence" | "step_timeout" | "wait_timeout" | "run_timeout" | "approval_expired" | "approval_stale" | "child_failed" | "failed_by_operator" | "cancelled" | "undo_failed" | "name_refused" | "conflict" | "not_found" | "unsupported" | "system" | "unavailable" | "gone" | "registrar_refused" | "command_failed" | "secret_misuse" | "secret_not_found" | "storage" | "schema_mismatch" | "data_folder_busy" | "configuration" | "instance_id" | "lease_lost" | "unauthenticated" | "method_not_allowed" | "precondition_failed" | "too_large" | "unsupported_media_type" | "too_many_requests" | "internal";
            /** @description Facts for programs. */
            data?: unknown;
            /** @description What failed and why, in a sentence. */
            detail: string;
            /** @description What to do about it. */
            help?: string;
            /** @description The path that was asked. */
            instance: string;
            /** @description JSON Pointer to the field that is at fault. */
            pointer?: unknown;
            /** @description The request's id, for the log. */
            request: string;
            /** @description File, line and column, where a script is at fault. */
            site?: Record<string, never>;
            /** @description The answer's status. */
            status: number;
            /** @description The code in words. */
            title: string;
            /** @description `urn:windlass:error:` and the code. */
            type: string;
        };
        /** @description A problem: what failed, where, why, and what to do. */
        ProblemShape: {
            /** @description The stable code. */
            code: string;
            /** @description Facts for programs. */
            data?: unknown;
            /** @description What to do about it. */
            help?: string | null;
            /** @description What failed and why, in one sentence. */
            message: string;
            /** @description Whether the effect certainly didn't happen. */
            no_effect?: boolean | null;
            /** @description Whether trying again may help. */
            retryable?: boolean | null;
            /** @description Where in the script: file, line, column. */
            site?: unknown;
            /** @description The step that failed, if one did. */
            step?: string | null;
        };
        /** @description How far a run says that it is. */
        Progress: {
            /** @description In its words. */
            message?: string | null;
            /**
             * Format: double
             * @description Percent, if it said so.
             */
            percent?: number | null;
        };
        /** @description Which redemption. */
        ProgressBody: {
            /** @description The run, as `POST /api/v1/redeem` has answered. */
            run: string;
            /** @description The word that it has answered. */
            word: string;
        };
        /** @description How a redemption goes. */
        ProgressView: {
            /** @description Where the first app is reached. */
            address?: string | null;
            /**
             * Format: int64
             * @description What was credited, in the currency's smallest unit.
             */
            amount?: number | null;
            /** Format: int64 */
            begun_at_ms: number;
            /** @description ISO 4217. */
            currency?: string | null;
            /** @description The name of that environment. */
            domain?: string | null;
            /** @description Where its letters go. */
            email: string;
            /** @description Whether it is over, well or not. */
            ended: boolean;
            /** Format: int64 */
            ended_at_ms?: number | null;
            /** @description Its first environment, once all is there. */
            environment?: string | null;
            /** @description How whoever issued the voucher looks. */
            from: components["schemas"]["Look"];
            /** @description The organisation that is made. */
            organisation: string;
            /** @description What has begun, in its order; the last one is under way. */
            phases: components["schemas"]["PhaseView"][];
            /** @description Why it didn't become what it was to be. The rest is its issuer's business. */
            problem?: string | null;
            state: string;
            /** @description How people call it; empty, if nobody has said so. */
            title: string;
            /** @description Whether a letter went out. */
            told?: boolean | null;
        };
        /** @description When people aren't to be disturbed. */
        Quiet: {
            /**
             * @description What matters so much is told all the same; none: nothing is.
             * @default null
             */
            breaks_through?: components["schemas"]["Severity"] | null;
            /**
             * @description Only nights that begin on these days (`mon` … `sun`); none: on all.
             * @default []
             */
            days?: string[];
            /** @description From this time of day: `22:00`. */
            from: string;
            /**
             * @description By whose clocks: `Europe/Berlin`.
             * @default UTC
             */
            time_zone?: string;
            /** @description Until this one; an earlier one is of the next day. */
            to: string;
        };
        /** @description What is limited. */
        Quota: "runs_open" | "runs_day" | "secrets" | "plugins" | "members" | "customers" | "tokens" | "schedules";
        /** @description How much an organisation may have, together with those under it. What isn't said isn't limited. */
        Quotas: {
            /**
             * Format: uint64
             * @description Organisations under it.
             */
            customers?: number | null;
            /**
             * Format: uint64
             * @description Members, and invitations that nobody has accepted yet.
             */
            members?: number | null;
            /**
             * Format: uint64
             * @description Plugins that are approved.
             */
            plugins?: number | null;
            /**
             * Format: uint64
             * @description Runs that were launched within the last 24 hours.
             */
            runs_day?: number | null;
            /**
             * Format: uint64
             * @description Runs that haven't ended.
             */
            runs_open?: number | null;
            /**
             * Format: uint64
             * @description Schedules, webhooks and triggers.
             */
            schedules?: number | null;
            /**
             * Format: uint64
             * @description Secrets.
             */
            secrets?: number | null;
            /**
             * Format: uint64
             * @description API tokens of its members.
             */
            tokens?: number | null;
        };
        /** @description Whether the server can serve. */
        Readiness: {
            /** @description What was looked at. */
            checks: components["schemas"]["Check"][];
            /** @description Whether all of the checks hold. */
            ready: boolean;
        };
        /** @description A recording, without what it shows. */
        RecordingView: {
            /**
             * Format: int64
             * @description When it began, in milliseconds since 1970.
             */
            began_at_ms: number;
            /** @description Who had it recorded. */
            by: string;
            /**
             * Format: uint64
             * @description Its size.
             */
            bytes: number;
            /** @description Its id. */
            id: string;
            /** @description Which of its consoles. */
            kind: components["schemas"]["NodeConsole"];
            /** @description The node. */
            node: string;
            /** @description Whether it is still being made. */
            open: boolean;
        };
        /** @description Who redeems a code. What is made for them is the issuer's affair: see `vouchers.offer` in the configuration. */
        RedeemBody: {
            /** @description The code, or a voucher that another Sovereign has signed. */
            code: string;
            /** @description Who is told, and looks after the organisation. */
            email: string;
            /** @description The name of their first environment; if none is named, the workflow's own. */
            environment?: string | null;
            /** @description The name of the organisation to be: letters, digits and `._-`; never changes. */
            organisation: string;
            /** @description What the credit is for, if the voucher is for certain products. */
            product?: string | null;
            /**
             * @description How people call it.
             * @default
             */
            title?: string;
        };
        /** @description A redemption. */
        RedemptionView: {
            /**
             * Format: int64
             * @description In the currency's smallest unit.
             */
            amount: number;
            currency: string;
            /** @description The organisation that got the credit. */
            customer: string;
            id: string;
            product?: string | null;
            /** Format: int64 */
            redeemed_at_ms: number;
            /** Format: int64 */
            reversed_at_ms?: number | null;
            /** @description What was booked when it was taken back. */
            reversed_by?: string | null;
            /** @description What was booked. */
            transaction: string;
            voucher: string;
        };
        /** @description What to rehearse with. */
        RehearseBody: {
            /**
             * @description The input, as for a launch.
             * @default null
             */
            input?: unknown;
            /**
             * @description A source that isn't saved yet, for whoever may edit the workflow; if none is given, what is in use.
             * @default null
             */
            source?: string | null;
        };
        /** @description The same; an admin needs none. */
        ReleaseBody: {
            /** @description What reserving it gave. */
            token?: string | null;
        };
        /** @description A name that was given back. */
        ReleasedView: {
            /**
             * Format: int64
             * @description When it is free, if it rests first.
             */
            free_at_ms?: number | null;
        };
        /** @description A reservation that runs on. */
        RenewedView: {
            /**
             * Format: int64
             * @description When it runs out; absent if the name is given out already.
             */
            until_ms?: number | null;
        };
        /** @description What a machine tells. */
        ReportBody: {
            /** @description What it is about: a component's name. */
            component: string;
            /** @description Tells reports of one machine apart: the same one is taken once. */
            id: string;
            /**
             * @description More of it, for people.
             * @default
             */
            message?: string;
            /**
             * @description Secrets that come back, by the names that the claim has for them: each once, of 24 bytes to 32 KiB.
             * @default {}
             */
            returns?: {
                [key: string]: string;
            };
            /** @description How that stands: `pending`, `installing`, `installed`, `degraded`, `failed`, or any other word. */
            state: string;
            /** @description The word that came with what was fetched. */
            word: string;
        };
        /** @description That a report was taken. */
        ReportedView: {
            /** @description The run that hears of it. */
            run: string;
        };
        /** @description What a person is asked. */
        RequestView: {
            /** @description Whether whoever launched the run may decide. */
            allow_self: boolean;
            /** @description What is shown to decide on. */
            details: unknown;
            /** @description Digest of what is shown. A decision names it, and is void for another. */
            digest: string;
            /**
             * Format: int64
             * @description When it expires.
             */
            expires_at_ms?: number | null;
            /** @description JSON Schema of a form that is filled in with the decision. */
            form?: unknown;
            /** @description What expiry means: `fail`, `deny` or `approve`. */
            on_expiry: string;
            /**
             * Format: uint32
             * @description Different people who have to approve.
             */
            quorum: number;
            /** @description Who may decide: a role's name. */
            role?: string | null;
            /** @description The question, in one line. */
            title: string;
        };
        /** @description A name to reserve. */
        ReserveBody: {
            /** @description The domain of the pool. */
            domain: string;
            /** @description The one label below it, in any script. */
            label: string;
            /** @description The organisation that it is for; if none is named, the one that you may launch in. */
            organisation?: string | null;
        };
        /** @description A reserved name. */
        ReservedView: {
            /** @description DS records that stand in the domain's zone. */
            ds: string[];
            /** @description The full name. */
            name: string;
            /** @description Name servers of its zone. */
            nameservers: string[];
            /** @description What renews, commits and releases it. It is told only here. */
            token: string;
            /**
             * Format: int64
             * @description When the reservation runs out.
             */
            until_ms: number;
        };
        /** @description What became of a step that is in doubt. */
        ResolveBody: {
            /** @description What became of it. */
            resolution: components["schemas"]["Word"];
            /**
             * @description The step's result, if it happened.
             * @default null
             */
            result?: unknown;
            /** @description The step: `12`, `7/b1/3`. */
            step: string;
        };
        /** @description A thing that a run has made. */
        ResourceView: {
            /** @description How to get at it, if that is known and it isn't gone. */
            consoles: components["schemas"]["ConsoleView"][];
            /**
             * Format: int64
             * @description When it was first intended.
             */
            created_at_ms: number;
            /** @description Its identity at the provider. */
            id: string;
            /** @description What it is: `namespace`, `link`. */
            kind: string;
            /** @description What it costs in a month, if that is known and it isn't gone. */
            monthly_cost?: components["schemas"]["CostView"] | null;
            /** @description Whose it is: the organisation of `run`. */
            organisation: string;
            /** @description The run whose step made it: `run`, or one that `run` continues. */
            origin: string;
            /** @description The step that made it. */
            path: string;
            /** @description Who keeps it: `net`, `docker`. */
            provider: string;
            /** @description The run that it belongs to. */
            run: string;
            /** @description How `run` stands. What a run that has failed left behind, nobody looks after. */
            run_state: string;
            /**
             * @description Its state.
             * @enum {string}
             */
            state: "creating" | "live" | "adopted" | "destroying" | "gone";
            /**
             * Format: int64
             * @description When its state last changed.
             */
            updated_at_ms: number;
            /** @description The workflow of `run`. */
            workflow: string;
        };
        /** @description On what terms a run is restarted. */
        RestartBody: {
            /**
             * @description On the scripts as they are now, instead of those it was launched with.
             * @default false
             */
            current?: boolean;
            /**
             * @description Only say what would happen.
             * @default false
             */
            dry_run?: boolean;
            /**
             * @description From this step of the run's own lane instead of the failed one: it and all that came after it are performed again.
             * @default null
             */
            from?: string | null;
        };
        /** @description A run that was restarted, or would be. */
        RestartedView: {
            /** @description Those of them that had their effect: they have it a second time. */
            again: components["schemas"]["AgainView"][];
            /** @description Steps that are forgotten, and performed again. */
            dropped: string[];
            /** @description What becomes of the rest. Unless it is `compatible`, nothing was done. */
            verdict: components["schemas"]["VerdictView"];
        };
        /** @description Which version, and what it replaces. */
        RestoreBody: {
            /** @description `source_digest` of the source that is there now; absent if the workflow was removed. */
            expected?: string | null;
            /**
             * @description Why, for the history.
             * @default
             */
            message?: string;
            /**
             * Format: int64
             * @description Its number.
             */
            version: number;
        };
        /** @description How many were taken back. */
        RevokedView: {
            /**
             * Format: uint64
             * @description Vouchers that could be redeemed before.
             */
            revoked: number;
        };
        /** @description A set of permissions that has a name. */
        Role: "viewer" | "operator" | "franchisee" | "admin";
        /** @description A role. */
        RoleView: {
            /** @description Its name. */
            name: components["schemas"]["Role"];
            /** @description What it allows. */
            permissions: components["schemas"]["Permission"][];
        };
        /** @description Whether a failed run undoes what it did. */
        Rollback: "auto" | "none";
        /** @description What is to change: what it says as a whole, or whether it is at rest. */
        RuleChange: {
            /**
             * @description What it is for.
             * @default null
             */
            description?: string | null;
            /**
             * @description At rest, or not any more.
             * @default null
             */
            paused?: boolean | null;
            /**
             * @description What it says from now on.
             * @default null
             */
            settings?: components["schemas"]["RuleSettings"] | null;
        };
        /** @description What a rule says. */
        RuleSettings: {
            /**
             * @description Over how long messages are collected into one: `15m`, up to `24h`. None: each is told at once.
             * @default null
             */
            digest?: string | null;
            /**
             * @description Kinds of events, with `*`: `run.failed`, `run.*`, `approval.requested`, `lab.*`.
             * @default []
             */
            on?: string[];
            /**
             * @description Of these organisations, or `*`: only for rules of the platform, by whoever administers all of them. None: of its own.
             * @default []
             */
            organisations?: string[];
            /**
             * @description When people aren't to be disturbed: what happens then is told afterwards.
             * @default null
             */
            quiet?: components["schemas"]["Quiet"] | null;
            /**
             * @description Only what matters so much, or more.
             * @default info
             */
            severity?: components["schemas"]["Severity"];
            /**
             * @description Names of targets: its organisation's, or the configuration's.
             * @default []
             */
            targets?: string[];
            /**
             * @description A text instead of the usual one.
             * @default null
             */
            text?: string | null;
            /**
             * @description A title instead of the usual one; `${/workflow}`, `${/run}`, `${/kind}`, `${/data/…}` and `${/link}` are filled in.
             * @default null
             */
            title?: string | null;
            /**
             * @description Of runs of these workflows or folders; none: of all.
             * @default []
             */
            workflows?: string[];
        };
        /** @description A rule. */
        RuleView: {
            /**
             * Format: int64
             * @description When it was made: it isn't about what happened before.
             */
            created_at_ms: number;
            /** @description What it is for. */
            description: string;
            /**
             * @description Over how long messages are collected into one: `15m`, up to `24h`. None: each is told at once.
             * @default null
             */
            digest?: string | null;
            /** @description Its id. */
            id: string;
            /** @description How people call it; unique in its organisation. */
            name: string;
            /**
             * @description Kinds of events, with `*`: `run.failed`, `run.*`, `approval.requested`, `lab.*`.
             * @default []
             */
            on?: string[];
            /** @description The organisation that it belongs to. */
            organisation: string;
            /**
             * @description Of these organisations, or `*`: only for rules of the platform, by whoever administers all of them. None: of its own.
             * @default []
             */
            organisations?: string[];
            /** @description Whether it is at rest. */
            paused: boolean;
            /**
             * @description When people aren't to be disturbed: what happens then is told afterwards.
             * @default null
             */
            quiet?: components["schemas"]["Quiet"] | null;
            /**
             * @description Only what matters so much, or more.
             * @default info
             */
            severity?: components["schemas"]["Severity"];
            /**
             * @description Names of targets: its organisation's, or the configuration's.
             * @default []
             */
            targets?: string[];
            /**
             * @description A text instead of the usual one.
             * @default null
             */
            text?: string | null;
            /**
             * @description A title instead of the usual one; `${/workflow}`, `${/run}`, `${/kind}`, `${/data/…}` and `${/link}` are filled in.
             * @default null
             */
            title?: string | null;
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
            /**
             * @description Of runs of these workflows or folders; none: of all.
             * @default []
             */
            workflows?: string[];
        };
        /** @description A run with everything that its page shows first. */
        RunShown: {
            /** @description What is asked and not yet decided. */
            approvals: components["schemas"]["ApprovalView"][];
            /** @description Digest of the sources that it is pinned to. */
            bundle: string;
            /** @description The run that it continues. */
            continues?: string | null;
            /**
             * Format: int64
             * @description When its time is up.
             */
            deadline_at_ms?: number | null;
            /**
             * Format: int64
             * @description When it becomes due, if a time is set; milliseconds since 1970, like every time.
             */
            due_at_ms?: number | null;
            /**
             * Format: int64
             * @description When it ended.
             */
            ended_at_ms?: number | null;
            /** @description Its id: 26 characters that sort by the time of launch. */
            id: string;
            /** @description Its idempotency key. */
            idempotency_key?: string | null;
            /** @description Its input. */
            input: unknown;
            /**
             * Format: int64
             * @description Number of its last event: where to follow it from.
             */
            last_event: number;
            /**
             * Format: int64
             * @description When it was launched.
             */
            launched_at_ms: number;
            /** @description Who launched it. */
            launched_by: string;
            /** @description Where to look further. */
            links: {
                [key: string]: string;
            };
            /**
             * Format: uint64
             * @description Things that it made and that are there now.
             */
            live_resources: number;
            /** @description The organisation that it belongs to. */
            organisation: string;
            /** @description What it returned. */
            output?: unknown;
            /** @description The run that it is a child of, and the step there. */
            parent?: [
                string,
                string
            ] | null;
            /** @description Id of the plan that it was launched with, if it was: what was rehearsed. Plans go after 30 days. */
            plan?: string | null;
            /** @description Why it failed. */
            problem?: components["schemas"]["ProblemShape"] | null;
            /** @description What the script last said about its progress, if it did so lately. */
            progress?: components["schemas"]["Progress"] | null;
            /**
             * Format: uint32
             * @description Times that a worker was lost while it had the run.
             */
            recoveries: number;
            /** @description Whether a failure undoes: `auto` or `none`. */
            rollback: string;
            /**
             * Format: int64
             * @description When a worker first took it.
             */
            started_at_ms?: number | null;
            /**
             * @description Its state.
             * @enum {string}
             */
            state: "queued" | "running" | "waiting" | "cancelling" | "rolling_back" | "rollback_stuck" | "succeeded" | "failed" | "rolled_back" | "cancelled";
            /** @description Tags. */
            tags: string[];
            /** @description Its undo list in numbers. */
            undo: components["schemas"]["UndoSummary"];
            /** @description What it waits for, while it waits; several branches may wait for several things. */
            waiting_on: ("timer" | "signal" | "approval" | "lock" | "child" | "in_doubt" | "parked")[];
            /** @description The workflow: `area/name`. */
            workflow: string;
        };
        /** @description What would become of a run on other sources. */
        RunVerdict: {
            /** @description Whether it could go on. */
            compatible: boolean;
            /** @description The run. */
            run: string;
            /** @description `verdict`, and with it what was found: as for the upgrade of a run. */
            verdict: unknown;
        };
        /** @description A run. */
        RunView: {
            /** @description Digest of the sources that it is pinned to. */
            bundle: string;
            /** @description The run that it continues. */
            continues?: string | null;
            /**
             * Format: int64
             * @description When its time is up.
             */
            deadline_at_ms?: number | null;
            /**
             * Format: int64
             * @description When it becomes due, if a time is set; milliseconds since 1970, like every time.
             */
            due_at_ms?: number | null;
            /**
             * Format: int64
             * @description When it ended.
             */
            ended_at_ms?: number | null;
            /** @description Its id: 26 characters that sort by the time of launch. */
            id: string;
            /** @description Its idempotency key. */
            idempotency_key?: string | null;
            /** @description Its input. */
            input: unknown;
            /**
             * Format: int64
             * @description When it was launched.
             */
            launched_at_ms: number;
            /** @description Who launched it. */
            launched_by: string;
            /** @description The organisation that it belongs to. */
            organisation: string;
            /** @description What it returned. */
            output?: unknown;
            /** @description The run that it is a child of, and the step there. */
            parent?: [
                string,
                string
            ] | null;
            /** @description Why it failed. */
            problem?: components["schemas"]["ProblemShape"] | null;
            /**
             * Format: uint32
             * @description Times that a worker was lost while it had the run.
             */
            recoveries: number;
            /** @description Whether a failure undoes: `auto` or `none`. */
            rollback: string;
            /**
             * Format: int64
             * @description When a worker first took it.
             */
            started_at_ms?: number | null;
            /**
             * @description Its state.
             * @enum {string}
             */
            state: "queued" | "running" | "waiting" | "cancelling" | "rolling_back" | "rollback_stuck" | "succeeded" | "failed" | "rolled_back" | "cancelled";
            /** @description Tags. */
            tags: string[];
            /** @description What it waits for, while it waits; several branches may wait for several things. */
            waiting_on: ("timer" | "signal" | "approval" | "lock" | "child" | "in_doubt" | "parked")[];
            /** @description The workflow: `area/name`. */
            workflow: string;
        };
        /** @description Sources to save together. */
        SaveAllBody: {
            /** @description Sources by name: `lab/two-routers`, `lib/lab`. */
            files: {
                [key: string]: string;
            };
            /** @description Who wrote them, if that is somebody else: the author of a commit. */
            made_by?: string | null;
            /**
             * @description Why, for the history.
             * @default
             */
            message?: string;
        };
        /** @description A source to save. */
        SaveBody: {
            /** @description `source_digest` of what you changed; absent for a new workflow. */
            expected?: string | null;
            /**
             * @description Why, for the history.
             * @default
             */
            message?: string;
            /** @description The whole source. */
            source: string;
        };
        /** @description Files to be saved. */
        SaveFilesBody: {
            /** @description `digest` of the files that these take the place of; none: there must be none. */
            expected?: string | null;
            /** @description Texts by their paths in the plugin's folder: these, and none besides. */
            files: {
                [key: string]: string;
            };
            /**
             * @description Why, for the history.
             * @default
             */
            message?: string;
        };
        /** @description A workflow that was saved. */
        Saved: {
            /** @description Grants that it asks for, and the version in use doesn't. */
            added: string[];
            /** @description `area/name`. */
            name: string;
            /** @description Digest of the source, for the next change. */
            source_digest: string;
            /**
             * Format: int64
             * @description Number of the version in use.
             */
            version?: number | null;
            /**
             * Format: int64
             * @description Number of the version that waits; an admin can activate it.
             */
            waiting?: number | null;
            /** @description Why the saved source isn't in use: it waits for an admin. */
            waits?: string | null;
        };
        /** @description What was saved. */
        SavedAll: {
            /** @description Those that weren't there like this before. */
            changed: components["schemas"]["Saved"][];
            /** @description Names of those that were. */
            unchanged: string[];
        };
        /** @description Files that were saved. */
        SavedFiles: {
            /** @description Digest of the files that are there now. */
            digest: string;
            /** @description `kind/name`. */
            name: string;
        };
        /** @description Scenarios to run. */
        ScenariosBody: {
            /**
             * @description The scenarios; if none are given, `<name>.test.rhai` as it is.
             * @default null
             */
            scenarios?: string | null;
            /**
             * @description The workflow's source; if none is given, the file as it is.
             * @default null
             */
            source?: string | null;
        };
        /** @description What came of scenarios. */
        ScenariosRun: {
            /** @description Whether all of them passed. */
            passed: boolean;
            /** @description Each: `name`, `passed`, `message`, `site` with `file`, `line` and `column`, `output`, `elapsed_ms`. */
            scenarios: unknown[];
        };
        /** @description Scenarios to save. */
        ScenariosSaveBody: {
            /** @description `scenarios_digest` of what you changed; absent if there were none. */
            expected?: string | null;
            /** @description All of the file; empty: there are to be none. */
            scenarios: string;
        };
        /** @description Scenarios that were saved. */
        ScenariosSaved: {
            /** @description Digest for the next change; absent if there are none now. */
            scenarios_digest?: string | null;
        };
        /** @description What is to change. What isn't named stays. */
        ScheduleChange: {
            /** @description When. */
            cron?: string | null;
            /** @description What it is for. */
            description?: string | null;
            /**
             * Format: int64
             * @description No instant from this on; null: no end.
             */
            ends_at_ms?: number | null;
            /** @description With which input. */
            input?: unknown;
            /** @description Launch up to so much later: `5m`; `0s`: on time. */
            jitter?: string | null;
            /** @description What to do about instants that passed while no server ran. */
            missed?: components["schemas"]["Missed"] | null;
            /** @description Its name. */
            name?: string | null;
            /** @description What to do while the run before is still open. */
            overlap?: components["schemas"]["Overlap"] | null;
            /** @description At rest, or not any more. Instants that pass while it rests are not made up for. */
            paused?: boolean | null;
            /**
             * Format: int64
             * @description No instant before this; null: no beginning.
             */
            starts_at_ms?: number | null;
            /** @description With which tags. */
            tags?: string[] | null;
            /** @description By whose clocks. */
            time_zone?: string | null;
            /** @description What it launches. */
            workflow?: string | null;
        };
        /** @description A schedule. */
        ScheduleView: {
            /**
             * Format: int64
             * @description Until when it acts: a token set it up, and it doesn't act for longer than that.
             */
            acts_until_ms?: number | null;
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description When. */
            cron: string;
            /** @description What it is for. */
            description: string;
            /**
             * Format: int64
             * @description No instant from this on.
             */
            ends_at_ms?: number | null;
            /** @description Why the last launch that was refused was. */
            error?: components["schemas"]["Failure"] | null;
            /**
             * Format: uint64
             * @description Launches that were refused.
             */
            failed: number;
            /** @description Its id. */
            id: string;
            /** @description With which input. */
            input: unknown;
            /**
             * Format: int64
             * @description Each launch is up to so much later.
             */
            jitter_ms: number;
            /** @description The last launch. */
            last?: components["schemas"]["Launched"] | null;
            /**
             * Format: uint64
             * @description Launches so far.
             */
            launched: number;
            /** @description What happens to instants that passed while no server ran. */
            missed: components["schemas"]["Missed"];
            /**
             * Format: uint64
             * @description Instants that passed while no server ran, and that nobody made up for.
             */
            missed_instants: number;
            /** @description How people call it; unique in its organisation. */
            name: string;
            /** @description The next instants; none while it is paused. */
            next: components["schemas"]["Instant"][];
            /** @description The organisation that it and its runs belong to. */
            organisation: string;
            /** @description What happens while the run before is still open. */
            overlap: components["schemas"]["Overlap"];
            /** @description The user for whom it launches: whoever changed it last. */
            owner: string;
            /** @description Whether it is at rest. */
            paused: boolean;
            /** @description Instants whose launch is decided, but not done: they wait for the run before. */
            pending: number[];
            /**
             * Format: uint64
             * @description Instants left out because the run before was still open.
             */
            skipped: number;
            /**
             * Format: int64
             * @description No instant before this.
             */
            starts_at_ms?: number | null;
            /** @description With which tags, besides `schedule:<name>`. */
            tags: string[];
            /** @description By whose clocks. */
            time_zone: string;
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
            /** @description When, in words. */
            words: string;
            /** @description What it launches. */
            workflow: string;
        };
        /** @description How deliveries are signed. */
        Scheme: "standard" | "github";
        /** @description A secret to keep. */
        SecretBody: {
            /** @description Where it may go: `https://api.example.net*`, `exec:*`, `file:/etc/app/*`. */
            to: string[];
            /** @description Its value. It is never answered, logged or written to the audit log. */
            value: string;
        };
        /** @description A secret, without its value. */
        SecretView: {
            /**
             * Format: int64
             * @description When it was first set.
             */
            created_at_ms?: number | null;
            /** @description Where it is kept: `database`, or the place that the configuration names. */
            kept: string;
            /** @description Its name. */
            name: string;
            /** @description Where it may go. */
            to: string[];
            /**
             * Format: int64
             * @description When its value last changed.
             */
            updated_at_ms?: number | null;
        };
        /** @description A session. */
        SessionView: {
            /** @description From where it was opened. */
            address: string;
            /** @description What the browser calls itself. */
            agent: string;
            /**
             * Format: int64
             * @description When it was opened.
             */
            created_at_ms: number;
            /** @description Whether it is this one. */
            current: boolean;
            /**
             * Format: int64
             * @description When it ends at the latest.
             */
            expires_at_ms?: number | null;
            /** @description Its id. */
            id: string;
            /**
             * Format: int64
             * @description When it was last used, to the minute.
             */
            seen_at_ms: number;
        };
        /** @description A key. */
        SettingView: {
            /** @description What it means, with units. */
            doc: string;
            /** @description `server.listen`. */
            key: string;
            /** @description Whether a server that is told to read its configuration again takes it anew; others need a new start. */
            live: boolean;
            /** @description Where that comes from: `default`, a file with its line, a variable, a flag. */
            origin: string;
            /** @description What is in effect; passwords in it are masked. */
            value: unknown;
            /** @description The environment variable that sets it. */
            variable: string;
            /** @description What its sources say by now, if that isn't in effect yet. */
            waiting?: unknown;
        };
        /** @description The configuration of the server that answers. */
        SettingsView: {
            /** @description Why its sources can't be read by now, if that is so: the server wouldn't start with them. */
            problem?: unknown;
            /** @description Its keys, by name. */
            settings: components["schemas"]["SettingView"][];
        };
        /** @description How much an event matters. */
        Severity: "info" | "warning" | "error" | "critical";
        /** @description A signal. */
        SignalBody: {
            /** @description A second delivery with the same id is dropped. */
            id?: string | null;
            /** @description Its name. */
            name: string;
            /**
             * @description What the run gets.
             * @default null
             */
            payload?: unknown;
        };
        /** @description A Sovereign to trust. */
        SovereignBody: {
            /**
             * Format: int64
             * @description What it may owe at a time in each currency, in the smallest unit.
             */
            limit: number;
            /** @description The organisation here that redeems its vouchers, and gets what it pays; if none is named, the platform. */
            organisation?: string | null;
            /** @description Its Ed25519 key, 32 bytes in base64url, as it tells it at /api/v1/vouchers/key. */
            public_key: string;
            /**
             * @description Where its API is: `https://sovereign.example.net`. http is for loopback only.
             * @default
             */
            url?: string;
        };
        /** @description Another Sovereign. */
        SovereignView: {
            /** @description Id of its key. */
            key: string;
            /**
             * Format: int64
             * @description What it may owe at a time in each currency, in the smallest unit.
             */
            limit: number;
            name: string;
            /** @description The organisation here that redeems its vouchers, and gets what it pays. */
            organisation: string;
            public_key: string;
            /** @description Where its API is; empty: nothing is asked of it. */
            url: string;
        };
        /** @description How something stands. */
        StandingView: "fine" | "missing" | "broken";
        /** @description How a plugin stands for an organisation. */
        StandingView2: {
            /** @description The approval: `digest`, `permissions`, `disabled`, `by`, `why`, `at_ms`. */
            approval?: unknown;
            /**
             * @description What the files have and the approved sources haven't: `added` and `removed` grants, and `text`, a unified difference, for
             *     whoever may approve it.
             */
            difference: unknown;
            /** @description Digest of the files, if they are sound. */
            digest?: string | null;
            /** @description For whom. */
            organisation: string;
            /** @description `kind/name`. */
            plugin: string;
            /** @description What is wrong with the files. */
            problem?: unknown;
            /** @description In a word. */
            state: components["schemas"]["ApprovalState"];
        };
        /** @description A plugin to begin with. */
        StarterBody: {
            /**
             * @description Who writes it; whoever asks, if nothing is said.
             * @default null
             */
            author?: string | null;
            /** @description `registrars/example`. */
            name: string;
        };
        /** @description What becomes of a message. */
        State: "pending" | "delivered" | "dead" | "digested";
        /** @description A step of a run's journal. */
        StepView: {
            /** @description Its arguments: canonical JSON, as text. A secret stands as `{"$secret":"name"}`. */
            args: string;
            /**
             * Format: uint32
             * @description Attempts so far.
             */
            attempts: number;
            /**
             * @description What a crash between its effect and its record means.
             * @enum {string}
             */
            class: "read" | "idempotent" | "keyed" | "at_most_once" | "wait" | "scope";
            /** @description Digest of the function and its arguments. */
            digest: string;
            /**
             * Format: int64
             * @description When its outcome was recorded.
             */
            finished_at_ms?: number | null;
            /** @description The function: `net::create_namespace`. */
            op: string;
            /** @description `{"value": JSON as text}` or `{"error": problem}`, once there is one. */
            outcome?: unknown;
            /** @description Where it stands in the run: `12`, `7/b1/3`. */
            path: string;
            /** @description Where in the script: file, line, column. */
            site: unknown;
            /**
             * Format: int64
             * @description When the first attempt began.
             */
            started_at_ms: number;
            /**
             * @description Its state.
             * @enum {string}
             */
            state: "started" | "waiting" | "succeeded" | "failed" | "in_doubt";
        };
        /** @description What to do about a stuck undo. */
        Stuck: "retry" | "skip" | "adopt";
        /** @description Why it is suspended. */
        SuspendBody: {
            /**
             * @description For its members, and for the audit log.
             * @default
             */
            reason?: string;
        };
        /** @description What is to change. What isn't named stays. */
        TargetChange: {
            /**
             * @description What it is for.
             * @default null
             */
            description?: string | null;
            /**
             * @description At rest, or not any more: what is to be told waits.
             * @default null
             */
            paused?: boolean | null;
            /**
             * Format: uint32
             * @description Messages in a minute.
             * @default null
             */
            per_minute?: number | null;
            /**
             * @description The token or the key.
             * @default null
             */
            secret?: string | null;
            /**
             * @description Who gets the mail.
             * @default null
             */
            to?: string[] | null;
            /**
             * @description The address.
             * @default null
             */
            url?: string | null;
        };
        /** @description A target. */
        TargetView: {
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description What it is for. */
            description: string;
            /** @description Whether it has a token or a key. */
            has_secret: boolean;
            /** @description Its id. */
            id: string;
            /** @description How people and rules call it; unique in its organisation. */
            name: string;
            /** @description The organisation that it belongs to. */
            organisation: string;
            /** @description Whether it is at rest. */
            paused: boolean;
            /**
             * Format: uint32
             * @description Messages in a minute, at most; more wait.
             */
            per_minute: number;
            /** @description Who gets the mail. */
            to: string[];
            /** @description Where it leads; what somebody could write there with is left out. */
            url: string;
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
            /** @description The way. */
            way: components["schemas"]["Way"];
        };
        /** @description What a test came to. */
        Tested: {
            /** @description Whether the other side has taken the message. */
            delivered: boolean;
            /** @description Why not, or what the other side said besides. */
            reason: string;
        };
        /** @description A proof that a name is one's own. */
        TokenBody: {
            /** @description What reserving it gave. */
            token: string;
        };
        /** @description A token that was issued just now. */
        TokenIssued: {
            /** @description What it may do at most; never more than its user. */
            bindings: components["schemas"]["Binding"][];
            /**
             * Format: int64
             * @description When it was issued.
             */
            created_at_ms: number;
            /**
             * Format: int64
             * @description When it ends.
             */
            expires_at_ms?: number | null;
            /** @description Its id; the token begins with `wl_` and it. */
            id: string;
            /** @description What people call it. */
            name: string;
            /** @description The token: `Authorization: Bearer <token>`. It is told only now. */
            token: string;
            /**
             * Format: int64
             * @description When it was last used, to the minute.
             */
            used_at_ms?: number | null;
            /** @description Whose. */
            user: string;
        };
        /** @description A token to be. */
        TokenRequest: {
            /**
             * @description What it is to be allowed; what you don't hold is left out. None: all that you hold.
             * @default []
             */
            bindings?: components["schemas"]["Binding"][];
            /**
             * Format: int64
             * @description When it ends: at most a year from now, 90 days if nothing is said.
             */
            expires_at_ms?: number | null;
            /** @description What people call it. */
            name: string;
        };
        /** @description A token, without what makes it one. */
        TokenView: {
            /** @description What it may do at most; never more than its user. */
            bindings: components["schemas"]["Binding"][];
            /**
             * Format: int64
             * @description When it was issued.
             */
            created_at_ms: number;
            /**
             * Format: int64
             * @description When it ends.
             */
            expires_at_ms?: number | null;
            /** @description Its id; the token begins with `wl_` and it. */
            id: string;
            /** @description What people call it. */
            name: string;
            /**
             * Format: int64
             * @description When it was last used, to the minute.
             */
            used_at_ms?: number | null;
            /** @description Whose. */
            user: string;
        };
        /** @description An issuer's sums in one currency, in its smallest unit. */
        TotalsView: {
            currency: string;
            /**
             * Format: int64
             * @description What those could cost that have a limit.
             */
            issued: number;
            issuer: string;
            /**
             * Format: int64
             * @description What open ones that have a limit can still cost.
             */
            outstanding: number;
            /**
             * Format: int64
             * @description What was redeemed and not taken back, here and elsewhere.
             */
            redeemed: number;
            /**
             * Format: int64
             * @description Open ones without a limit, which are in no sum.
             */
            unlimited: number;
            /**
             * Format: int64
             * @description Vouchers that it has issued.
             */
            vouchers: number;
        };
        /** @description A code of the second factor. */
        TotpCode: {
            /** @description Six digits from the app. */
            code: string;
        };
        /** @description A second factor that waits for its first code. Told once. */
        TotpEnrolled: {
            /** @description Codes for the day when the phone is gone; each works once. */
            recovery: string[];
            /** @description The seed for the app, base32. */
            seed: string;
            /** @description The same for a QR code. */
            uri: string;
        };
        /** @description What is to change. What isn't named stays. */
        TriggerChange: {
            /**
             * @description What it is for.
             * @default null
             */
            description?: string | null;
            /**
             * @description With which input.
             * @default null
             */
            input?: unknown;
            /**
             * @description Its name.
             * @default null
             */
            name?: string | null;
            /**
             * @description The runs that it waits for.
             * @default null
             */
            on?: components["schemas"]["On"] | null;
            /**
             * @description At rest, or not any more.
             * @default null
             */
            paused?: boolean | null;
            /**
             * @description With which tags.
             * @default null
             */
            tags?: string[] | null;
            /**
             * @description What it launches.
             * @default null
             */
            workflow?: string | null;
        };
        /** @description A trigger. */
        TriggerView: {
            /**
             * Format: int64
             * @description Until when it acts: a token set it up, and it doesn't act for longer than that.
             */
            acts_until_ms?: number | null;
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description What it is for. */
            description: string;
            /** @description Why the last launch that was refused was. */
            error?: components["schemas"]["Failure"] | null;
            /** @description Its id. */
            id: string;
            /** @description With which input. */
            input: unknown;
            /** @description The last launch. */
            last?: components["schemas"]["Launched"] | null;
            /** @description How people call it; unique in its organisation. */
            name: string;
            /** @description The runs that it waits for. */
            on: components["schemas"]["On"];
            /** @description The organisation that it, the runs that it waits for and those that it launches belong to. */
            organisation: string;
            /** @description The user for whom it launches: whoever changed it last. */
            owner: string;
            /** @description Whether it is at rest. */
            paused: boolean;
            /** @description With which tags, besides `trigger:<name>`. */
            tags: string[];
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
            /** @description What it launches. */
            workflow: string;
        };
        /** @description An undo list in numbers. */
        UndoSummary: {
            /**
             * Format: uint64
             * @description Worked off.
             */
            done: number;
            /**
             * Format: uint64
             * @description Tried, and failed.
             */
            failed: number;
            /**
             * Format: uint64
             * @description To be worked off if the run fails.
             */
            registered: number;
            /**
             * Format: uint64
             * @description Left by an operator.
             */
            skipped: number;
            /**
             * Format: uint64
             * @description Without effect, so that there is nothing to undo.
             */
            void: number;
        };
        /** @description An entry of a run's undo list. */
        UndoView: {
            /** @description Why the last attempt failed. */
            error?: components["schemas"]["ProblemShape"] | null;
            /** @description The run whose step it takes back: this one, or one that it continues. */
            origin: string;
            /** @description The step that it takes back. */
            path: string;
            /**
             * Format: int64
             * @description Order of registration, from 1. Undone from the highest down.
             */
            seq: number;
            /** @description Where the forward call stands. */
            site: unknown;
            /** @description How: an op with its arguments, or the script's own closure. */
            spec: unknown;
            /**
             * @description Its state.
             * @enum {string}
             */
            state: "registered" | "void" | "done" | "failed" | "skipped";
        };
        /** @description A plugin that was taken out of an archive, and isn't installed yet. */
        UnpackedView: {
            /** @description Texts by their paths in the plugin's folder: `plugin.toml`, `main.rhai`, `fixtures/….json`. */
            files: {
                [key: string]: string;
            };
            /** @description What else was in the archive, and isn't taken. */
            left_out: string[];
            /** @description `kind/name`, as its manifest says it. */
            name: string;
        };
        /** @description What to do about a stuck undo. */
        UnstickBody: {
            /** @description What to do. */
            action: components["schemas"]["Stuck"];
        };
        /** @description On what terms a run goes on with the current scripts. */
        UpgradeBody: {
            /**
             * @description Only say what would happen.
             * @default false
             */
            dry_run?: boolean;
        };
        /** @description How much an organisation has of one thing. */
        UsageView: {
            /**
             * Format: uint64
             * @description How many it may have, together with those under it; absent: no limit of its own.
             */
            limit?: number | null;
            /** @description Of what. */
            quota: components["schemas"]["Quota"];
            /**
             * Format: uint64
             * @description How many it and those under it have: what the limit is compared with.
             */
            together: number;
            /**
             * Format: uint64
             * @description How many it has itself.
             */
            used: number;
        };
        /** @description How much an organisation has. */
        UsagesView: {
            /** @description Each thing that can be limited. */
            items: components["schemas"]["UsageView"][];
            /** @description The organisation. */
            organisation: string;
        };
        /** @description What is to be changed; what isn't given stays. */
        UserChange: {
            /** @description All that they may do from now on. */
            bindings?: components["schemas"]["Binding"][] | null;
            /** @description Whether they are kept out. */
            disabled?: boolean | null;
            /** @description Where mail reaches them; empty: nowhere. One that an admin of the platform changes is theirs, and logs in. */
            email?: string | null;
            /** @description `false`: the address is theirs, because an admin of the platform says so; nobody else can. `true`: it stays unproved. */
            email_unproved?: boolean | null;
            /** @description How people call them. */
            title?: string | null;
        };
        /** @description A user. */
        UserView: {
            /** @description What they may do, and where. */
            bindings: components["schemas"]["Binding"][];
            /**
             * Format: int64
             * @description When they were made.
             */
            created_at_ms: number;
            /** @description Whether they are kept out. */
            disabled: boolean;
            /** @description Where mail reaches them; also logs in, once it is known to be theirs. */
            email?: string | null;
            /** @description Whether that is only said by whoever manages them: it becomes theirs when they accept an invitation that was sent there. */
            email_unproved?: boolean;
            /** @description The OpenID provider that knows them. */
            external?: string | null;
            /** @description The name, which logs in and never changes. */
            name: string;
            /** @description The organisation whose managers look after them. */
            organisation: string;
            /** @description Whether they have a password. */
            password: boolean;
            /** @description How people call them. */
            title: string;
            /** @description Whether a second factor is asked for. */
            totp: boolean;
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
        };
        /** @description What becomes of a run on other scripts. */
        VerdictView: {
            /** @description The first call that differs: `path`, `recorded`, `current`. */
            divergence?: unknown;
            /** @description What the run would do next: `op`, `args`, `site`. */
            next?: unknown;
            /** @description How the scripts fail. */
            problem?: unknown;
            /**
             * Format: uint64
             * @description Steps that are answered from the record, if it is compatible.
             */
            replayed?: number | null;
            /** @description `compatible`, `diverges` or `fails`. */
            verdict: string;
        };
        /** @description What a check has found. */
        Verified: {
            /**
             * Format: int64
             * @description Entries that are as they were written, from the first.
             */
            entries: number;
            /** @description What is wrong behind them. */
            fault?: components["schemas"]["Fault"] | null;
            /** @description Hash of the last of them: kept elsewhere, it shows later that none was cut off. */
            last: string;
        };
        /** @description What the server is. */
        Version: {
            /** @description Version of the API. */
            api: string;
            /** @description The program's name. */
            name: string;
            /** @description What stands in for something real beside a server that is only tried: “Hetzner Cloud”. What is made there is nowhere else. */
            simulated: string[];
            /** @description Its version. */
            version: string;
        };
        /** @description A version, as it is kept. */
        VersionView: {
            /**
             * @description Whether it is in use.
             * @default false
             */
            active?: boolean;
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            at_ms: number;
            /** @description Who made it; `file`: somebody with an editor. */
            by: string;
            /** @description Digest of the sources as a whole. */
            digest: string;
            /** @description What it asks for. */
            permissions: string[];
            /**
             * Format: int64
             * @description From 1.
             */
            version: number;
            /**
             * @description Whether it waits for an admin: it asked for more than what was in use.
             * @default false
             */
            waits?: boolean;
            /** @description Why. */
            why: string;
        };
        /** @description A voucher, without its code. */
        VoucherView: {
            /** @description Whether nobody has taken it back. */
            active: boolean;
            /** @description Absent for one of another Sovereign. */
            batch?: string | null;
            /** @description Why not: `revoked`, `expired` or `used_up`. */
            closed?: string | null;
            /** Format: int64 */
            created_at_ms: number;
            /**
             * Format: int64
             * @description In the currency's smallest unit.
             */
            credit: number;
            /** @description ISO 4217. */
            currency: string;
            /** Format: int64 */
            deleted_at_ms?: number | null;
            description: string;
            /** Format: int64 */
            expires_at_ms?: number | null;
            /** @description Who knows it can't redeem the voucher. */
            id: string;
            /** @description The organisation that answers for it. */
            issuer: string;
            /**
             * Format: int64
             * @description 0: without limit.
             */
            max_redemptions: number;
            /** @description Whether it can be redeemed now. */
            open: boolean;
            /** @description The Sovereign that signed it, if that is another one. */
            origin?: string | null;
            /** @description Greatest numbers of redemptions by product (0: no limit); empty: for anything. */
            products: {
                [key: string]: number;
            };
            /** Format: int64 */
            times_redeemed: number;
        };
        /** @description A way to people. */
        Way: "email" | "ntfy" | "discord" | "slack" | "mattermost" | "webhook";
        /** @description What is to change. What isn't named stays. */
        WebhookChange: {
            /**
             * @description What a delivery does.
             * @default null
             */
            action?: components["schemas"]["Action2"] | null;
            /**
             * @description What it is for.
             * @default null
             */
            description?: string | null;
            /**
             * @description Its name.
             * @default null
             */
            name?: string | null;
            /**
             * @description At rest, or not any more.
             * @default null
             */
            paused?: boolean | null;
            /**
             * @description How far a delivery's time may be off.
             * @default null
             */
            window?: string | null;
        };
        /** @description A webhook and its key, which is told only now. */
        WebhookKeyed: {
            /** @description What a delivery does. */
            action: components["schemas"]["Action2"];
            /**
             * Format: int64
             * @description Until when it acts: a token set it up, and it doesn't act for longer than that.
             */
            acts_until_ms?: number | null;
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description What it is for. */
            description: string;
            /** @description The last delivery, rightly signed, that couldn't. */
            error?: components["schemas"]["Failure"] | null;
            /** @description Its id. */
            id: string;
            /** @description The key for the sender: `whsec_…` for Standard Webhooks, else as it is. */
            key: string;
            /** @description The last delivery that did something. */
            last?: components["schemas"]["Launched"] | null;
            /** @description How people call it; unique in its organisation. */
            name: string;
            /** @description The organisation that it and its runs belong to. */
            organisation: string;
            /** @description The user for whom it acts: whoever changed it last. */
            owner: string;
            /** @description Whether it is at rest: deliveries are refused. */
            paused: boolean;
            /** @description How they are signed. */
            scheme: components["schemas"]["Scheme"];
            /** @description Where deliveries are sent. */
            url: string;
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
            /**
             * Format: int64
             * @description How far a delivery's time may be off, where one is signed.
             */
            window_ms: number;
        };
        /** @description A webhook. */
        WebhookView: {
            /** @description What a delivery does. */
            action: components["schemas"]["Action2"];
            /**
             * Format: int64
             * @description Until when it acts: a token set it up, and it doesn't act for longer than that.
             */
            acts_until_ms?: number | null;
            /**
             * Format: int64
             * @description When it was made.
             */
            created_at_ms: number;
            /** @description What it is for. */
            description: string;
            /** @description The last delivery, rightly signed, that couldn't. */
            error?: components["schemas"]["Failure"] | null;
            /** @description Its id. */
            id: string;
            /** @description The last delivery that did something. */
            last?: components["schemas"]["Launched"] | null;
            /** @description How people call it; unique in its organisation. */
            name: string;
            /** @description The organisation that it and its runs belong to. */
            organisation: string;
            /** @description The user for whom it acts: whoever changed it last. */
            owner: string;
            /** @description Whether it is at rest: deliveries are refused. */
            paused: boolean;
            /** @description How they are signed. */
            scheme: components["schemas"]["Scheme"];
            /** @description Where deliveries are sent. */
            url: string;
            /**
             * Format: int64
             * @description Rises with every change; `ETag` and `If-Match`.
             */
            version: number;
            /**
             * Format: int64
             * @description How far a delivery's time may be off, where one is signed.
             */
            window_ms: number;
        };
        /** @description Which runs. What isn't given doesn't filter. */
        Which: {
            /**
             * @description Whose id begins so.
             * @default null
             */
            id?: string | null;
            /**
             * @description Whose input has these values: a field's name (top level only) and its value as text. In a query: `input.name=value`.
             * @default {}
             */
            input?: {
                [key: string]: string;
            };
            /**
             * @description Of this organisation.
             * @default null
             */
            organisation?: string | null;
            /**
             * @description Children of this run.
             * @default null
             */
            parent?: string | null;
            /**
             * @description Launched at or after this time: RFC 3339, or milliseconds since 1970.
             * @default null
             */
            since?: string | null;
            /**
             * @description In one of these states: a comma list.
             * @default null
             */
            state?: string | null;
            /**
             * @description With this tag.
             * @default null
             */
            tag?: string | null;
            /**
             * @description In which all of these words occur: id, workflow, tags, who launched it, texts of the input, the error's message.
             * @default null
             */
            text?: string | null;
            /**
             * @description Launched before this time: RFC 3339, or milliseconds since 1970.
             * @default null
             */
            until?: string | null;
            /**
             * @description Waiting for one of these, perhaps among others: a comma list of what runs tell in `waiting_on`.
             * @default null
             */
            waiting_on?: string | null;
            /**
             * @description Of this workflow (`lab/grid`), or of all in a folder (`lab/*`).
             * @default null
             */
            workflow?: string | null;
        };
        /** @description Who one is. */
        WhoAmI: {
            /** @description What they may do, and where. */
            bindings: components["schemas"]["Binding"][];
            /** @description How they proved it: `session` or `token`. */
            by: string;
            /** @description To be sent as `X-CSRF-Token` with everything that changes something; absent for tokens. */
            csrf?: string | null;
            /** @description Their name; a token's is `user/token`. */
            name: string;
            /** @description All permissions that they have somewhere. */
            permissions: components["schemas"]["Permission"][];
            /**
             * Format: uint64
             * @description Milliseconds that the server takes for an answer at most: of whoever was silent for longer nothing will come.
             */
            request_ms: number;
            /** @description Whether a second factor is asked for at log-in. */
            totp: boolean;
            /** @description The user. */
            user: string;
        };
        /** @description A step of the wizard: its title, and whatever else the header says of it. */
        WizardStep: {
            /** @description What `x-step` of its fields names. */
            title?: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description What became of a step. */
        Word: "happened" | "perform" | "fail";
        /** @description An invitation's word. */
        WordBody: {
            /** @description What stands behind `#` in the link. */
            word: string;
        };
        /** @description What a workflow says of itself. */
        WorkflowHeader: {
            /** @description Runs that exclude one another. */
            concurrency?: components["schemas"]["Concurrency"] | null;
            /** @description What it does, for whom. */
            description: string;
            /**
             * @description JSON Schema (2020-12) of the input. Fields may have `x-step` (title of the wizard's step that they stand in), `x-widget`
             *     and `x-secret` (the field takes the name of a secret).
             */
            inputs: {
                [key: string]: unknown;
            };
            /** @description `area/name`. */
            name: string;
            /** @description What the script may do: `module.verb:scope`. */
            permissions: string[];
            /** @description How long an ended run is kept, as a duration: `30d`. */
            retention?: string | null;
            /** @description Whether a failed run undoes what it did. */
            rollback: components["schemas"]["Rollback"];
            /** @description For lists and filters. */
            tags: string[];
            /** @description Longest time from launch to end, as a duration: `2h`. */
            timeout?: string | null;
            /** @description One line. */
            title: string;
            /** @description The wizard's steps, in order. */
            wizard: components["schemas"]["WizardStep"][];
        };
        /** @description A workflow in a list. */
        WorkflowInShort: {
            /** @description `area/name`. */
            name: string;
            /**
             * @description Why the file isn't what is in use: it has mistakes (`workflow_invalid`, with `site` and `help`), or waits for an admin
             *     (`permission_denied`).
             */
            problem?: unknown;
            /** @description Whether it can be launched: some version is in use. */
            sound: boolean;
            /**
             * Format: uint
             * @description Steps of its wizard; 0 if it has none.
             */
            steps: number;
            /** @description Tags. */
            tags: string[];
            /** @description One line; absent when the file has mistakes. */
            title?: string | null;
            /**
             * Format: int64
             * @description Number of the version in use; absent if none is.
             */
            version?: number | null;
        };
        /** @description A workflow. */
        WorkflowShown: {
            /** @description Digest of its sources: what a launch pins. */
            digest: string;
            /** @description Its files: itself, and what it imports. */
            files: string[];
            /** @description What it asks for. */
            grants: components["schemas"]["Grant"][];
            /** @description Why the file differs from what is in use: it has mistakes, or waits for an admin. */
            problem?: unknown;
            /** @description Those of them that the server's policy doesn't allow in its folder. */
            refused_by_policy: string[];
            /** @description Its source. */
            source: string;
            /** @description Digest of the source, for a change. */
            source_digest: string;
            /**
             * Format: int64
             * @description Number of the version in use.
             */
            version?: number | null;
            /** @description Its header. */
            workflow: components["schemas"]["WorkflowHeader"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    get_docs: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html; charset=utf-8": unknown;
                };
            };
        };
    };
    get_docs_page_css: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/css; charset=utf-8": unknown;
                };
            };
        };
    };
    get_docs_page_js: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/javascript; charset=utf-8": unknown;
                };
            };
        };
    };
    get_openapi_json: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    get_approvals: {
        parameters: {
            query?: {
                /** @description All that you may see, and not only those that you may decide on. */
                all?: boolean;
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
                /** @description Only those of this organisation. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page3"];
                };
            };
        };
    };
    get_audit: {
        parameters: {
            query?: {
                /** @description Whose action begins so: `user.`, `run.launch`. */
                action?: string;
                /** @description By this actor: `ann` (and her tokens), `token:ann/ci`. */
                actor?: string;
                /** @description Where the page before ended. */
                cursor?: number;
                /** @description Entries on a page, 1 to 500. */
                limit?: number;
                /** @description In this organisation. */
                organisation?: string;
                /** @description At or after this time, in milliseconds since 1970. */
                since_ms?: number;
                /** @description To this. */
                target?: string;
                /** @description Before this time, in milliseconds since 1970. */
                until_ms?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page8"];
                };
            };
        };
    };
    get_audit_export: {
        parameters: {
            query?: {
                /** @description Whose action begins so: `user.`, `run.launch`. */
                action?: string;
                /** @description By this actor: `ann` (and her tokens), `token:ann/ci`. */
                actor?: string;
                /** @description After this number. */
                after?: number;
                /** @description In this organisation. */
                organisation?: string;
                /** @description At or after this time, in milliseconds since 1970. */
                since_ms?: number;
                /** @description To this. */
                target?: string;
                /** @description Before this time, in milliseconds since 1970. */
                until_ms?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": unknown;
                };
            };
        };
    };
    get_audit_verify: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Verified"];
                };
            };
        };
    };
    get_bundles_digest: {
        parameters: {
            query?: {
                /** @description A run that is pinned to it and that you may see; whoever may see everything needn't name one. */
                run?: string;
            };
            header?: never;
            path: {
                digest: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BundleView"];
                };
            };
        };
    };
    post_claims_id_fetch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FetchBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FetchedView"];
                };
            };
        };
    };
    post_claims_id_reports: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReportBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportedView"];
                };
            };
        };
    };
    get_definitions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    get_doctor: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DoctorView"];
                };
            };
        };
    };
    get_drafts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DraftView"][];
                };
            };
        };
    };
    get_drafts_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DraftView"];
                };
            };
        };
    };
    put_drafts_name: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for; what isn't there matches nothing */
                "If-Match"?: string;
                /** @description `*`: only if there is nothing yet */
                "If-None-Match"?: string;
            };
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DraftBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DraftKept"];
                };
            };
        };
    };
    delete_drafts_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_events: {
        parameters: {
            query?: {
                /**
                 * @description Go on after this cursor, the `id` of an event; `first`: from the first event that is kept. The header
                 *     `Last-Event-ID` goes before it. Without either: from now on.
                 */
                after?: string;
                /** @description Of these kinds: a comma list of kinds (`run.failed`) and families (`run.*`). */
                kinds?: string;
                /** @description Of runs of this organisation. */
                organisation?: string;
                /** @description Of this run. */
                run?: string;
                /** @description Of runs of this workflow (`lab/grid`), or of all in a folder (`lab/*`). */
                workflow?: string;
            };
            header?: {
                /** @description The last id that was received: the stream goes on after it */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": unknown;
                };
            };
        };
    };
    post_hooks_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The delivery's id (Standard Webhooks) */
                "webhook-id"?: string;
                /** @description When it was signed, seconds since 1970 (Standard Webhooks) */
                "webhook-timestamp"?: string;
                /** @description `v1,<base64>` of HMAC-SHA256 over id, time and body (Standard Webhooks) */
                "webhook-signature"?: string;
                /** @description `sha256=<hex>` of HMAC-SHA256 over the body (GitHub) */
                "X-Hub-Signature-256"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "*/*": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveredView"];
                };
            };
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveredView"];
                };
            };
        };
    };
    post_invitation: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WordBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitationShown"];
                };
            };
        };
    };
    post_invitation_accept: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AcceptBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Accepted"];
                };
            };
        };
    };
    get_invitations_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitationView"];
                };
            };
        };
    };
    delete_invitations_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    post_invitations_id_send: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitedView"];
                };
            };
        };
    };
    post_lab_documents_check: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CheckBody2"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabChecked"];
                };
            };
        };
    };
    post_lab_documents_import: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImportBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Imported"];
                };
            };
        };
    };
    post_lab_documents_plan: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PlanBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    get_lab_documents_schema: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    get_lab_drawings: {
        parameters: {
            query?: {
                /** @description The organisation; if none is named: for one lab the platform if you may look at its labs, else the first of yours; for a list all. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrawingRow"][];
                };
            };
        };
    };
    get_labs: {
        parameters: {
            query?: {
                /** @description The organisation; if none is named: for one lab the platform if you may look at its labs, else the first of yours; for a list all. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabRow"][];
                };
            };
        };
    };
    get_labs_lab: {
        parameters: {
            query?: {
                /** @description The organisation; if none is named: for one lab the platform if you may look at its labs, else the first of yours; for a list all. */
                organisation?: string;
            };
            header?: never;
            path: {
                lab: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabView"];
                };
            };
        };
    };
    get_labs_lab_capture: {
        parameters: {
            query?: {
                /** @description An interface (`r1:eth0`), the end of its link on the host (`r1:eth0@host`), or a bridge (`lan1`). */
                at?: string;
                /** @description How much, 16 MiB by default, at most 1 GiB. */
                bytes?: number;
                /** @description The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours. */
                organisation?: string;
                /** @description How long, 10 by default, at most 3600. */
                seconds?: number;
                /** @description Bytes that are kept of each packet. */
                snaplen?: number;
            };
            header?: never;
            path: {
                lab: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/vnd.tcpdump.pcap": unknown;
                };
            };
        };
    };
    get_labs_lab_drawing: {
        parameters: {
            query?: {
                /** @description The organisation; if none is named: for one lab the platform if you may look at its labs, else the first of yours; for a list all. */
                organisation?: string;
            };
            header?: never;
            path: {
                lab: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrawingView"];
                };
            };
        };
    };
    put_labs_lab_drawing: {
        parameters: {
            query?: {
                /** @description The organisation; if none is named: for one lab the platform if you may look at its labs, else the first of yours; for a list all. */
                organisation?: string;
            };
            header?: {
                /** @description The version that the change is meant for; what isn't there matches nothing */
                "If-Match"?: string;
                /** @description `*`: only if there is nothing yet */
                "If-None-Match"?: string;
            };
            path: {
                lab: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DrawingBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrawingKept"];
                };
            };
        };
    };
    delete_labs_lab_drawing: {
        parameters: {
            query?: {
                /** @description The organisation; if none is named: for one lab the platform if you may look at its labs, else the first of yours; for a list all. */
                organisation?: string;
            };
            header?: never;
            path: {
                lab: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_labs_lab_nodes_node_console: {
        parameters: {
            query?: {
                /** @description Columns of your terminal. */
                cols?: number;
                /** @description Its pixels to an inch. */
                dpi?: number;
                /**
                 * @description 1: a console that can't be opened says so in the WebSocket, `{"error":{…}}` (`guac`: an `error` instruction), and is closed
                 *     with 4403. Browsers don't show a page how its handshake was answered.
                 */
                explain?: number;
                /** @description Pixels of that screen. */
                height?: number;
                /** @description Which of the node's consoles. */
                kind?: components["schemas"]["NodeConsole"];
                /** @description Whether you come to type. */
                mode?: components["schemas"]["Mode"];
                /** @description Tells terminals apart: those who name the same see the same one. A machine's serial line is one for all. */
                name?: string;
                /** @description Which console a screen by way of guacd shows: `vnc`, `ssh` or `telnet`; the first that the node has, if nothing is said. */
                of?: components["schemas"]["NodeConsole"];
                /** @description The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours. */
                organisation?: string;
                /** @description 1: have it recorded. */
                record?: number;
                /** @description Rows of your terminal. */
                rows?: number;
                /** @description The name of the secret with the password or the key. Its policy has to allow `ssh://ORGANISATION/LAB/NODE`. */
                secret?: string;
                /** @description Your time zone, `Europe/Berlin`. */
                timezone?: string;
                /** @description Who logs in, where the node asks for it (SSH). */
                user?: string;
                /** @description Pixels of that screen. */
                width?: number;
            };
            header?: never;
            path: {
                lab: string;
                node: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: never;
    };
    get_labs_lab_nodes_node_consoles: {
        parameters: {
            query?: {
                /** @description The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours. */
                organisation?: string;
            };
            header?: never;
            path: {
                lab: string;
                node: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConsolesView"];
                };
            };
        };
    };
    get_labs_lab_recordings: {
        parameters: {
            query?: {
                /** @description The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours. */
                organisation?: string;
            };
            header?: never;
            path: {
                lab: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RecordingView"][];
                };
            };
        };
    };
    get_labs_lab_recordings_id: {
        parameters: {
            query?: {
                /** @description The organisation whose lab it is; if none is named, the platform if you may look at its consoles, else the first of yours. */
                organisation?: string;
            };
            header?: never;
            path: {
                lab: string;
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-asciicast": unknown;
                };
            };
        };
    };
    get_ledger_balances: {
        parameters: {
            query?: {
                /** @description Only this organisation's. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BalanceView"][];
                };
            };
        };
    };
    get_ledger_entries: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
                /** @description Only this organisation's. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page15"];
                };
            };
        };
    };
    get_ledger_verify: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CheckView2"];
                };
            };
        };
    };
    get_locks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LockView"][];
                };
            };
        };
    };
    get_nodes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeView"][];
                };
            };
        };
    };
    put_nodes_id_drain: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DrainBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeView"];
                };
            };
        };
    };
    get_notifications_deliveries: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description On a page, 1 to 500. */
                limit?: number;
                /** @description Of this organisation. */
                organisation?: string;
                /** @description In this state. */
                state?: components["schemas"]["State"];
                /** @description To the target of this name. */
                target?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page21"];
                };
            };
        };
    };
    get_notifications_deliveries_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryView"];
                };
            };
        };
    };
    post_notifications_deliveries_id_retry: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryView"];
                };
            };
        };
    };
    get_notifications_rules: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description On a page, 1 to 500. */
                limit?: number;
                /** @description Of this name. */
                name?: string;
                /** @description Of this organisation. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page20"];
                };
            };
        };
    };
    post_notifications_rules: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewRule"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RuleView"];
                };
            };
        };
    };
    get_notifications_rules_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RuleView"];
                };
            };
        };
    };
    delete_notifications_rules_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patch_notifications_rules_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RuleChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RuleView"];
                };
            };
        };
    };
    get_notifications_targets: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description On a page, 1 to 500. */
                limit?: number;
                /** @description Of this name. */
                name?: string;
                /** @description Of this organisation. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page19"];
                };
            };
        };
    };
    post_notifications_targets: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTarget"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TargetView"];
                };
            };
        };
    };
    get_notifications_targets_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TargetView"];
                };
            };
        };
    };
    delete_notifications_targets_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patch_notifications_targets_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TargetChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TargetView"];
                };
            };
        };
    };
    post_notifications_targets_id_test: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tested"];
                };
            };
        };
    };
    get_organisations: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description Organisations on a page, 1 to 500. */
                limit?: number;
                /** @description Under this one. */
                parent?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page7"];
                };
            };
        };
    };
    post_organisations: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewBody"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrganisationView"];
                };
            };
        };
    };
    get_organisations_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrganisationView"];
                };
            };
        };
    };
    delete_organisations_name: {
        parameters: {
            query?: {
                /** @description With its members, tokens, secrets, schedules and plugins. It has to be suspended. */
                offboard?: boolean;
            };
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patch_organisations_name: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OrganisationChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrganisationView"];
                };
            };
        };
    };
    get_organisations_name_brand: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BrandView"];
                };
            };
        };
    };
    put_organisations_name_brand: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["BrandView"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BrandView"];
                };
            };
        };
    };
    delete_organisations_name_brand: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_organisations_name_environments: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EnvironmentView"][];
                };
            };
        };
    };
    get_organisations_name_invitations: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitationView"][];
                };
            };
        };
    };
    post_organisations_name_invitations: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InvitationBody"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitedView"];
                };
            };
        };
    };
    get_organisations_name_look: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Look"];
                };
            };
        };
    };
    get_organisations_name_members: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberView"][];
                };
            };
        };
    };
    put_organisations_name_quotas: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Quotas"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsagesView"];
                };
            };
        };
    };
    post_organisations_name_resume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrganisationView"];
                };
            };
        };
    };
    post_organisations_name_suspend: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SuspendBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OrganisationView"];
                };
            };
        };
    };
    get_organisations_name_usage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsagesView"];
                };
            };
        };
    };
    get_plans: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description Plans on a page, 1 to 500. */
                limit?: number;
                /** @description Of this organisation. */
                organisation?: string;
                /** @description Of this workflow. */
                workflow?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page11"];
                };
            };
        };
    };
    post_plans: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPlan"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlanShown"];
                };
            };
        };
    };
    get_plans_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlanShown"];
                };
            };
        };
    };
    get_plugins: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page12"];
                };
            };
        };
    };
    post_plugins_starter: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StarterBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FilesView"];
                };
            };
        };
    };
    post_plugins_unpack: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "*/*": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UnpackedView"];
                };
            };
        };
    };
    get_plugins_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PluginShown"];
                };
            };
        };
    };
    post_plugins_name_activate: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ActivatePluginBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PluginActivated"];
                };
            };
        };
    };
    get_plugins_name_approval: {
        parameters: {
            query?: {
                /** @description Why, for the audit log, where an approval is taken back. */
                message?: string;
                /** @description The organisation; `platform` if nothing is said. */
                organisation?: string;
            };
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StandingView2"];
                };
            };
        };
    };
    put_plugins_name_approval: {
        parameters: {
            query?: {
                /** @description Why, for the audit log, where an approval is taken back. */
                message?: string;
                /** @description The organisation; `platform` if nothing is said. */
                organisation?: string;
            };
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ApproveBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApprovalView2"];
                };
            };
        };
    };
    delete_plugins_name_approval: {
        parameters: {
            query?: {
                /** @description Why, for the audit log, where an approval is taken back. */
                message?: string;
                /** @description The organisation; `platform` if nothing is said. */
                organisation?: string;
            };
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApprovalView2"];
                };
            };
        };
    };
    post_plugins_name_check: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["FilesBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PluginCheckedView"];
                };
            };
        };
    };
    post_plugins_name_conformance: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["FilesBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConformanceView"];
                };
            };
        };
    };
    get_plugins_name_files: {
        parameters: {
            query?: {
                /** @description Why, for the audit log, where an approval is taken back. */
                message?: string;
                /** @description The organisation; `platform` if nothing is said. */
                organisation?: string;
            };
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FilesView"];
                };
            };
        };
    };
    put_plugins_name_files: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SaveFilesBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SavedFiles"];
                };
            };
        };
    };
    get_pool: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": string[];
                };
            };
        };
    };
    get_pool_check: {
        parameters: {
            query: {
                /** @description The domain of the pool. */
                domain: string;
                /** @description The one label below it. */
                label: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CheckView"];
                };
            };
        };
    };
    get_pool_names: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description Only names under this domain. */
                domain?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page13"];
                };
            };
        };
    };
    post_pool_names: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReserveBody"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReservedView"];
                };
            };
        };
    };
    post_pool_names_name_commit: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CommitBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CommittedView"];
                };
            };
        };
    };
    post_pool_names_name_release: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReleaseBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReleasedView"];
                };
            };
        };
    };
    post_pool_names_name_renew: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RenewedView"];
                };
            };
        };
    };
    post_redeem: {
        parameters: {
            query?: never;
            header?: {
                /** @description A second request with this key gives the same run */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RedeemBody"];
            };
        };
        responses: {
            /** @description Accepted */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BegunView"];
                };
            };
        };
    };
    post_redeem_progress: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ProgressBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProgressView"];
                };
            };
        };
    };
    get_redeem_code: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                code: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PreviewView"];
                };
            };
        };
    };
    get_resources: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description Of this kind: `namespace`. */
                kind?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
                /** @description Of this organisation. */
                organisation?: string;
                /** @description Whose id begins so. */
                prefix?: string;
                /** @description Kept by this provider: `net`. */
                provider?: string;
                /** @description Made by this run. */
                run?: string;
                /** @description In one of these states: a comma list. If nothing is said: what is there, or perhaps there. */
                state?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page4"];
                };
            };
        };
    };
    get_roles: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoleView"][];
                };
            };
        };
    };
    get_runs: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description Whose id begins so. */
                id?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
                /** @description Of this organisation. */
                organisation?: string;
                /** @description Children of this run. */
                parent?: string;
                /** @description Launched at or after this time: RFC 3339, or milliseconds since 1970. */
                since?: string;
                /** @description In one of these states: a comma list. */
                state?: string;
                /** @description With this tag. */
                tag?: string;
                /** @description In which all of these words occur: id, workflow, tags, who launched it, texts of the input, the error's message. */
                text?: string;
                /** @description Launched before this time: RFC 3339, or milliseconds since 1970. */
                until?: string;
                /** @description Waiting for one of these, perhaps among others: a comma list of what runs tell in `waiting_on`. */
                waiting_on?: string;
                /** @description Of this workflow (`lab/grid`), or of all in a folder (`lab/*`). */
                workflow?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page"];
                };
            };
        };
    };
    post_runs: {
        parameters: {
            query?: never;
            header?: {
                /** @description A second launch with this key and the same input gives the same run */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LaunchBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LaunchedView"];
                };
            };
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LaunchedView"];
                };
            };
        };
    };
    post_runs_bulk: {
        parameters: {
            query?: never;
            header?: {
                /** @description For `retry`: each run is launched again once for each key */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BulkBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BulkView"];
                };
            };
        };
    };
    get_runs_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunShown"];
                };
            };
        };
    };
    get_runs_id_approvals: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApprovalView"][];
                };
            };
        };
    };
    post_runs_id_approvals_step_decision: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                /** @description May contain slashes. */
                step: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DecisionBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApprovalView"];
                };
            };
        };
    };
    get_runs_id_artifacts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ArtifactView"][];
                };
            };
        };
    };
    get_runs_id_artifacts_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "*/*": unknown;
                };
            };
        };
    };
    post_runs_id_cancel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CancelBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    get_runs_id_diff: {
        parameters: {
            query: {
                /** @description The other run. */
                with: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DiffView"];
                };
            };
        };
    };
    get_runs_id_events: {
        parameters: {
            query?: {
                /** @description Only events after this number; the header `Last-Event-ID` goes before it. */
                after?: number;
            };
            header?: {
                /** @description The last id that was received: the stream goes on after it */
                "Last-Event-ID"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": unknown;
                };
            };
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_runs_id_export: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    get_runs_id_history: {
        parameters: {
            query?: {
                /** @description Only those with higher numbers. */
                after?: number;
                /** @description At most so many: 1 to 1000, 200 if nothing is said. */
                limit?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
        };
    };
    get_runs_id_logs: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description From this line on; lines count from 1. */
                from?: number;
                /** @description At least as grave as this: `debug`, `info`, `warn`, `error`. */
                level?: string;
                /** @description At most so many lines: 1 to 5000, 500 if nothing is said. */
                lines?: number;
                /** @description In which this text occurs, in any case. */
                q?: string;
                /** @description Which this regular expression fits. */
                regex?: string;
                /** @description Logged at or after this time: RFC 3339, or milliseconds since 1970. */
                since?: string;
                /** @description Of branches of this step: `7`, `7/b1`. */
                step?: string;
                /** @description The last so many lines; no cursor, no `from`. */
                tail?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogPage"];
                };
            };
        };
    };
    get_runs_id_logs_txt: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description From this line on; lines count from 1. */
                from?: number;
                /** @description At least as grave as this: `debug`, `info`, `warn`, `error`. */
                level?: string;
                /** @description At most so many lines: 1 to 5000, 500 if nothing is said. */
                lines?: number;
                /** @description In which this text occurs, in any case. */
                q?: string;
                /** @description Which this regular expression fits. */
                regex?: string;
                /** @description Logged at or after this time: RFC 3339, or milliseconds since 1970. */
                since?: string;
                /** @description Of branches of this step: `7`, `7/b1`. */
                step?: string;
                /** @description The last so many lines; no cursor, no `from`. */
                tail?: number;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain; charset=utf-8": unknown;
                };
            };
        };
    };
    post_runs_id_resolve: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ResolveBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    get_runs_id_resources: {
        parameters: {
            query?: {
                /** @description Also what is gone or adopted. */
                all?: boolean;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResourceView"][];
                };
            };
        };
    };
    post_runs_id_restart: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RestartBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RestartedView"];
                };
            };
        };
    };
    post_runs_id_retry: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LaunchedView"];
                };
            };
        };
    };
    post_runs_id_signal: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignalBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    get_runs_id_sources: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BundleView"];
                };
            };
        };
    };
    get_runs_id_steps: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
                /** @description Calls of this function, or of a module (`net::*`). */
                op?: string;
                /** @description In one of these states: a comma list. */
                state?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page2"];
                };
            };
        };
    };
    post_runs_id_stick: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CancelBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    get_runs_id_undo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UndoView"][];
                };
            };
        };
    };
    post_runs_id_unpark: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    post_runs_id_unstick: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UnstickBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    post_runs_id_upgrade: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["UpgradeBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VerdictView"];
                };
            };
        };
    };
    get_schedules: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description On a page, 1 to 500. */
                limit?: number;
                /** @description Of this name. */
                name?: string;
                /** @description Of this organisation. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page16"];
                };
            };
        };
    };
    post_schedules: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSchedule"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleView"];
                };
            };
        };
    };
    get_schedules_preview: {
        parameters: {
            query: {
                /** @description How many instants, 1 to 100; 5 if nothing is said. */
                count?: number;
                /** @description The pattern. */
                cron: string;
                /** @description By whose clocks; UTC if nothing is said. */
                time_zone?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PreviewView2"];
                };
            };
        };
    };
    get_schedules_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleView"];
                };
            };
        };
    };
    delete_schedules_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patch_schedules_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ScheduleChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScheduleView"];
                };
            };
        };
    };
    post_schedules_id_run: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FiredView"];
                };
            };
        };
    };
    get_secrets: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SecretView"][];
                };
            };
        };
    };
    get_secrets_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SecretView"];
                };
            };
        };
    };
    put_secrets_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SecretBody"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    delete_secrets_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WhoAmI"];
                };
            };
        };
    };
    post_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LogIn"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WhoAmI"];
                };
            };
        };
    };
    delete_session: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    post_session_link: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LinkUse"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WhoAmI"];
                };
            };
        };
    };
    get_session_oidc: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": string[];
                };
            };
        };
    };
    get_session_oidc_provider: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description See Other */
            303: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_session_oidc_provider_callback: {
        parameters: {
            query?: {
                /** @description To be exchanged for tokens. */
                code?: string;
                /** @description Why there is no code. */
                error?: string;
                /** @description Who sends this. */
                iss?: string;
                /** @description What was sent along. */
                state?: string;
            };
            header?: never;
            path: {
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html; charset=utf-8": unknown;
                };
            };
        };
    };
    put_session_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordChange"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    put_session_totp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TotpCode"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    post_session_totp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordAgain"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TotpEnrolled"];
                };
            };
        };
    };
    delete_session_totp: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PasswordAgain"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionView"][];
                };
            };
        };
    };
    delete_sessions_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_settings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettingsView"];
                };
            };
        };
    };
    get_sovereigns: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SovereignView"][];
                };
            };
        };
    };
    put_sovereigns_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SovereignBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SovereignView"];
                };
            };
        };
    };
    delete_sovereigns_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_sovereigns_name_claims: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClaimView"][];
                };
            };
        };
    };
    post_sovereigns_name_payments: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PaymentBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PaymentView"];
                };
            };
        };
    };
    get_tokens: {
        parameters: {
            query?: {
                /** @description Of everybody in organisations that you manage, not only your own. */
                all?: boolean;
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description Tokens on a page, 1 to 500. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page6"];
                };
            };
        };
    };
    post_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenRequest"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenIssued"];
                };
            };
        };
    };
    get_tokens_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenView"];
                };
            };
        };
    };
    delete_tokens_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_triggers: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description On a page, 1 to 500. */
                limit?: number;
                /** @description Of this name. */
                name?: string;
                /** @description Of this organisation. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page18"];
                };
            };
        };
    };
    post_triggers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTrigger"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TriggerView"];
                };
            };
        };
    };
    get_triggers_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TriggerView"];
                };
            };
        };
    };
    delete_triggers_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patch_triggers_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TriggerChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TriggerView"];
                };
            };
        };
    };
    get_users: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description Users on a page, 1 to 500. */
                limit?: number;
                /** @description Of this organisation. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page5"];
                };
            };
        };
    };
    post_users: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUser"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
        };
    };
    get_users_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
        };
    };
    delete_users_name: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patch_users_name: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
        };
    };
    put_users_name_password: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PasswordReset"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordMade"];
                };
            };
        };
    };
    delete_users_name_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    delete_users_name_totp: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_version: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
                };
            };
        };
    };
    get_vouchers: {
        parameters: {
            query?: {
                /** @description Only those of this batch. */
                batch?: string;
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description Also those that were deleted. */
                deleted?: boolean;
                /** @description Only those of this organisation. */
                issuer?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page14"];
                };
            };
        };
    };
    get_vouchers_batches: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchView"][];
                };
            };
        };
    };
    post_vouchers_batches: {
        parameters: {
            query?: never;
            header?: {
                /** @description A second request with this key gives the same batch */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["IssueBody"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchView"];
                };
            };
        };
    };
    get_vouchers_batches_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchView"];
                };
            };
        };
    };
    get_vouchers_batches_id_export: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/csv": unknown;
                };
            };
        };
    };
    post_vouchers_batches_id_revoke: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevokedView"];
                };
            };
        };
    };
    post_vouchers_claims: {
        parameters: {
            query?: never;
            header?: {
                /** @description Id of the key that has signed the body */
                "x-windlass-key"?: string;
                /** @description Ed25519, base64url, over the words “windlass claims 1”, a line feed and the body */
                "x-windlass-signature"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": unknown;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    get_vouchers_key: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyView"];
                };
            };
        };
    };
    get_vouchers_totals: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TotalsView"][];
                };
            };
        };
    };
    get_vouchers_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VoucherView"];
                };
            };
        };
    };
    delete_vouchers_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_vouchers_id_redemptions: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RedemptionView"][];
                };
            };
        };
    };
    post_vouchers_id_revoke: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RevokedView"];
                };
            };
        };
    };
    get_webhooks: {
        parameters: {
            query?: {
                /** @description Where the page before ended. */
                cursor?: string;
                /** @description On a page, 1 to 500. */
                limit?: number;
                /** @description Of this name. */
                name?: string;
                /** @description Of this organisation. */
                organisation?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page17"];
                };
            };
        };
    };
    post_webhooks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewWebhook"];
            };
        };
        responses: {
            /** @description Created */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookKeyed"];
                };
            };
        };
    };
    get_webhooks_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookView"];
                };
            };
        };
    };
    delete_webhooks_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    patch_webhooks_id: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version that the change is meant for, as in `ETag` */
                "If-Match"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookView"];
                };
            };
        };
    };
    put_webhooks_id_key: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["KeyBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookKeyed"];
                };
            };
        };
    };
    get_workflows: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description In this folder. */
                folder?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
                /** @description With this tag. */
                tag?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page9"];
                };
            };
        };
    };
    post_workflows: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SaveAllBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SavedAll"];
                };
            };
        };
    };
    get_workflows_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkflowShown"];
                };
            };
        };
    };
    put_workflows_name: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SaveBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Saved"];
                };
            };
        };
    };
    delete_workflows_name: {
        parameters: {
            query: {
                /** @description `source_digest` of the source that is there now. */
                expected: string;
            };
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    post_workflows_name_activate: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ActivateBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Activated"];
                };
            };
        };
    };
    post_workflows_name_check: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CheckBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checked"];
                };
            };
        };
    };
    post_workflows_name_editors: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EditingBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Editing"];
                };
            };
        };
    };
    get_workflows_name_file: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileShown"];
                };
            };
        };
    };
    get_workflows_name_history: {
        parameters: {
            query?: {
                /** @description `next` of the page before. */
                cursor?: string;
                /** @description At most so many on a page: 1 to 500, 50 if nothing is said. */
                limit?: number;
            };
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page10"];
                };
            };
        };
    };
    post_workflows_name_input: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InputBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InputChecked"];
                };
            };
        };
    };
    post_workflows_name_rehearse: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RehearseBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
        };
    };
    post_workflows_name_restore: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RestoreBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Saved"];
                };
            };
        };
    };
    put_workflows_name_scenarios: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ScenariosSaveBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScenariosSaved"];
                };
            };
        };
    };
    post_workflows_name_scenarios: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ScenariosBody"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ScenariosRun"];
                };
            };
        };
    };
    get_workflows_name_source: {
        parameters: {
            query?: {
                /** @description Number of a version; if none is named, the one in use. */
                version?: number;
            };
            header?: never;
            path: {
                /** @description May contain slashes. */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain; charset=utf-8": unknown;
                };
            };
        };
    };
    get_livez: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain; charset=utf-8": unknown;
                };
            };
        };
    };
    get_metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain; version=0.0.4; charset=utf-8": unknown;
                };
            };
        };
    };
    get_readyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
}

/** What stands behind a name with slashes where something of it is read or done. */
export const BEHIND_NAMES: readonly string[] = ['activate', 'approval', 'check', 'conformance', 'decision', 'editors', 'file', 'files', 'history', 'input', 'rehearse', 'restore', 'scenarios', 'source'];
