//! From arguments to a request.

use hotfix::SystemClock;
use hotfix::model::Target;
use hotfix::port::Clock as _;
use hotfix::request::{Approval, Fix, Goal, Request, Staging};

use crate::arguments::{Change, Create, Deploy, Rollback};
use crate::backends::Session;

impl Change {
    /// Whether the user wants to be asked before anything happens.
    pub(crate) const fn is_confirmed(&self) -> bool {
        match self {
            Self::Create(Create { yes, .. })
            | Self::Deploy(Deploy { yes, .. })
            | Self::Rollback(Rollback { yes, .. }) => *yes,
        }
    }

    /// Makes the request.
    pub(crate) fn request(&self, session: &Session) -> Request {
        match self {
            Self::Create(create) => create.request(session),
            Self::Deploy(deploy) => deploy.request(session),
            Self::Rollback(rollback) => rollback.request(session),
        }
    }
}

impl Create {
    fn request(&self, session: &Session) -> Request {
        let title = self.title.clone().unwrap_or_else(|| format!("Hotfix for {}", self.issue));
        let goal = Goal::Create { from: self.from.clone() };
        let service = session.config.service.clone();
        Request::new(self.issue.clone(), title, self.severity, service, session.person(), goal)
    }
}

impl Deploy {
    fn request(&self, session: &Session) -> Request {
        let goal = Goal::Deploy {
            fix: match &self.branch {
                Some(branch) => Fix::Branch(branch.clone()),
                None => Fix::Commits(self.fix.clone()),
            },
            from: self.from.clone(),
            image: None,
            strategy: self.strategy,
            staging: if self.skip_staging { Staging::Skip } else { Staging::First },
        };
        let service = session.config.service.clone();
        let (issue, title) = (self.issue.clone(), self.title.as_str());
        let mut request = Request::new(issue, title, self.severity, service, session.person(), goal);
        let at = SystemClock.now();
        request.approvals = self.approved_by.iter().map(|by| Approval { by: by.clone(), at }).collect();
        request.break_glass = self.break_glass.clone();
        request
    }
}

impl Rollback {
    fn request(&self, session: &Session) -> Request {
        let environment = self.environment.clone();
        let environment =
            environment.unwrap_or_else(|| session.config.policy.environments.production.clone());
        let service = session.config.service.clone();
        let goal = Goal::rollback(Target::new(environment, service.clone()), self.to.clone());
        let (issue, reason) = (self.issue.clone(), self.reason.as_str());
        Request::new(issue, reason, self.severity, service, session.person(), goal)
    }
}
