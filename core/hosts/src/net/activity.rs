//! Which labs this process changes: who watches them tells apart what it did from what somebody else did.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

/// By the labs' keys: how many change one now, and how often one was changed.
#[derive(Clone, Default)]
pub struct Activity(Arc<Mutex<HashMap<String, (u32, u64)>>>);

struct Busy(Activity, String);

impl Activity {
    /// A lab is changed until this is dropped.
    pub fn begin(&self, lab: &str) -> Box<dyn Send> {
        self.0.lock().entry(lab.to_owned()).or_default().0 += 1;
        Box::new(Busy(self.clone(), lab.to_owned()))
    }

    /// All labs that were changed.
    pub fn all(&self) -> Vec<(String, bool, u64)> {
        self.0.lock().iter().map(|(lab, (now, ended))| (lab.clone(), *now > 0, *ended)).collect()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some((now, ended)) = self.0.0.lock().get_mut(&self.1) {
            *now -= 1;
            *ended += 1;
        }
    }
}
