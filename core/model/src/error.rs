//! What failed, where, why, and what to do about it. Every error that a user sees has a code and a page in docs/errors/.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CallSite, state::text_enum};

text_enum!(
    /// Stable error codes. Each has a page: docs/errors/<code>.md.
    Code {
        /// The input doesn't fit the workflow's schema.
        InvalidInput = "invalid_input",
        /// The command line, or a request, makes no sense.
        Usage = "usage",
        /// There is no such workflow.
        WorkflowNotFound = "workflow_not_found",
        /// A workflow file has mistakes.
        WorkflowInvalid = "workflow_invalid",
        /// There is no such run.
        RunNotFound = "run_not_found",
        /// The run's state doesn't allow this.
        IllegalTransition = "illegal_transition",
        /// The idempotency key was used with another input.
        IdempotencyConflict = "idempotency_conflict",
        /// The run lacks a grant.
        PermissionDenied = "permission_denied",
        /// A host function got arguments that it can't use.
        InvalidArgument = "invalid_argument",
        /// The script threw an error.
        ScriptError = "script_error",
        /// A bound was exceeded; the error names it.
        LimitExceeded = "limit_exceeded",
        /// The script's calls differ from the journal's.
        Divergence = "divergence",
        /// The step took longer than its time limit.
        StepTimeout = "step_timeout",
        /// A wait came to its time limit.
        WaitTimeout = "wait_timeout",
        /// The run took longer than its workflow's `timeout`.
        RunTimeout = "run_timeout",
        /// An approval expired.
        ApprovalExpired = "approval_expired",
        /// A decision was made on something that has changed since.
        ApprovalStale = "approval_stale",
        /// A child run failed.
        ChildFailed = "child_failed",
        /// An operator failed a step that was in doubt.
        FailedByOperator = "failed_by_operator",
        /// The run was cancelled.
        Cancelled = "cancelled",
        /// An undo failed.
        UndoFailed = "undo_failed",
        /// A name can't be given out to anybody: no such pool, kept for the house, or no label.
        NameRefused = "name_refused",
        /// Something of that name is there, and isn't ours.
        Conflict = "conflict",
        /// There is no such thing.
        NotFound = "not_found",
        /// The machine, its kernel or its configuration can't do this.
        Unsupported = "unsupported",
        /// The operating system refused.
        System = "system",
        /// A remote side didn't answer, or answered with a failure.
        Unavailable = "unavailable",
        /// It was there once, and can't be had any more.
        Gone = "gone",
        /// A registrar understood, and refused; `data.kind` says why.
        RegistrarRefused = "registrar_refused",
        /// A program ended with a failure.
        CommandFailed = "command_failed",
        /// A secret can't go there.
        SecretMisuse = "secret_misuse",
        /// There is no such secret.
        SecretNotFound = "secret_not_found",
        /// The database can't be opened, read or written.
        Storage = "storage",
        /// The database's schema isn't this program's.
        SchemaMismatch = "schema_mismatch",
        /// Another process executes runs of this database, which was to be changed.
        DataFolderBusy = "data_folder_busy",
        /// The configuration has a mistake.
        Configuration = "configuration",
        /// This machine has no instance id.
        InstanceId = "instance_id",
        /// A worker lost its lease: another one has the run.
        LeaseLost = "lease_lost",
        /// Nobody knows who asks.
        Unauthenticated = "unauthenticated",
        /// The path is there, but not for this method.
        MethodNotAllowed = "method_not_allowed",
        /// What was to be changed isn't what the request expects.
        PreconditionFailed = "precondition_failed",
        /// The request is too large.
        TooLarge = "too_large",
        /// The body is of a kind that isn't read here.
        UnsupportedMediaType = "unsupported_media_type",
        /// Too many requests, or too many wrong passwords.
        TooManyRequests = "too_many_requests",
        /// A mistake in Windlass itself.
        Internal = "internal",
    }
);

/// An error for people: what failed, where, why, what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What failed and why, in one sentence.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where in the script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<CallSite>,
    /// The step that failed, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Facts for programs.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// Whether trying again may help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
    /// Whether the effect certainly didn't happen, so that there is nothing to undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_effect: bool,
}

impl Problem {
    /// A problem with a code and a sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: None,
            site: None,
            step: None,
            data: Value::Null,
            retryable: false,
            no_effect: false,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds where in the script, unless a place is known already.
    #[must_use]
    pub fn at(mut self, site: CallSite) -> Self {
        self.site.get_or_insert(site);
        self
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// Says that trying again may help.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Says that the effect certainly didn't happen.
    #[must_use]
    pub fn no_effect(mut self) -> Self {
        self.no_effect = true;
        self
    }
}
