//! The embedded cloud services with everything in them that the template asks for.

use std::{collections::BTreeMap, fmt, time::Duration};

use credentials::pepper::PepperSource;
use domain::time::Clock;
use emulator::cloud::{
    ACCOUNT, Cloud, REGION,
    access::{EVERY_FUNCTION, Rules},
    provision::provision,
};
pub use emulator::cloud::{Ports, Storage};
use runtime::{Ambient, Entropy, Env, StartError, ambient::system_clock};
use sam::template::{Access, Description, Settings, Template};
use store::{Store, Tables};

use crate::{aws, environment};

/// The template that is deployed, as it stood when this was built.
pub const TEMPLATE: &str = include_str!("../../template.yaml");

/// How often ended secrets, feed entries and the like are swept from the tables.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// How a stack runs. The defaults are those of `cargo run -- --ephemeral --port 0`.
pub struct Options {
    /// Where tables, keys and secrets are kept.
    pub storage: Storage,
    /// The gateway's port on loopback; 0 for any free one.
    pub port: u16,
    /// The ports of the embedded services; 0 for any free ones.
    pub service_ports: Ports,
    /// The SAM template's text.
    pub template: String,
    /// Template parameters that differ from their defaults. `Issuer` is the gateway's own address
    /// unless named.
    pub parameters: BTreeMap<String, String>,
    /// The clock that everything lives by, when it is not the machine's.
    pub clock: Option<Clock>,
    /// Where random bytes come from.
    pub entropy: Entropy,
    /// Other addresses for the embedded services (`AWS_ENDPOINT_URL…`), by which the functions
    /// reach them: for a test that puts something in between.
    pub endpoints: BTreeMap<String, String>,
    /// Told of the embedded services once they listen, and before anything calls them: for a test
    /// whose `endpoints` lead to them.
    pub listening: Option<Listening>,
}

/// See [`Options::listening`].
pub type Listening = Box<dyn FnOnce(&Cloud) + Send>;

impl Default for Options {
    fn default() -> Self {
        Self {
            storage: Storage::Memory,
            port: 0,
            service_ports: Ports::default(),
            template: TEMPLATE.to_owned(),
            parameters: BTreeMap::new(),
            clock: None,
            entropy: Entropy::system(),
            endpoints: BTreeMap::new(),
            listening: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("storage", &self.storage)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// The embedded cloud services with everything in them that the template asks for.
pub struct Services {
    cloud: Cloud,
    description: Description,
    access: Access,
    operator: BTreeMap<String, String>,
    ambient: Ambient,
    /// Other addresses for the services, by which functions reach them.
    endpoints: BTreeMap<String, String>,
    /// The clock that everything lives by and the machine's, when they differ.
    shown: Option<(Clock, Clock)>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services")
            .field("cloud", &self.cloud)
            .finish_non_exhaustive()
    }
}

impl Services {
    /// Starts the services and makes what the template names in them.
    ///
    /// # Errors
    /// One sentence about the service, the port or the place in the template at fault.
    pub async fn start(options: Options, issuer: &str) -> Result<Self, StartError> {
        let machine = system_clock();
        let clock = options.clock.clone().unwrap_or_else(|| machine.clone());
        let mut cloud = Cloud::start(options.storage, options.service_ports, clock.clone()).await?;
        if let Some(listening) = options.listening {
            listening(&cloud);
        }
        let mut parameters = BTreeMap::from([("Issuer".to_owned(), issuer.to_owned())]);
        parameters.extend(options.parameters);
        let template = Template::parse(
            &options.template,
            Settings {
                parameters,
                ..Settings::default()
            },
        )?;
        let physical = provision(&cloud, &template).await?;
        let description = template.resolve(&physical)?;
        let access = template.access(&physical)?;
        cloud
            .authority()
            .enforce(Rules::of(&access, &description, &physical)?)?;
        cloud.show(&description);
        let operator = environment::parse(
            &template
                .output("OperatorEnvironment", &physical)?
                .unwrap_or_default(),
        );
        cloud.sweep_ttl_every(SWEEP_INTERVAL);
        let mut environment = cloud.environment();
        environment.extend(options.endpoints.clone());
        let shown = options.clock.map(|shown| (shown, machine));
        let aws = aws::config(&environment, shown.clone());
        let ambient = Ambient {
            clock,
            entropy: options.entropy,
            aws,
        };
        Ok(Self {
            cloud,
            description,
            access,
            operator,
            ambient,
            endpoints: options.endpoints,
            shown,
        })
    }

    /// What surrounds a function, by its logical id: as [`Services::ambient`], signing with the
    /// function's own access key.
    ///
    /// # Errors
    /// There is no such function, or its role may not write the function's log, whose lines Lambda
    /// would drop in silence.
    pub fn ambient_of(&self, function: &str) -> Result<Ambient, StartError> {
        let environment = self.environment_of(function)?;
        let group = &self
            .access
            .functions
            .get(function)
            .ok_or_else(|| format!("there is no function {function}"))?
            .log_group;
        let stream = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:local");
        for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
            self.cloud
                .authority()
                .check(function, action, &stream)
                .map_err(|aws_error| aws_error.to_string())?;
        }
        Ok(Ambient {
            aws: aws::config(&environment, self.shown.clone()),
            ..self.ambient.clone()
        })
    }

    /// What a function exports that runs as a process of its own, by its logical id: where the
    /// services are and its access key.
    ///
    /// # Errors
    /// There is no such function.
    pub fn environment_of(&self, function: &str) -> Result<BTreeMap<String, String>, StartError> {
        let mut environment = self.cloud.environment_of(function)?;
        environment.extend(self.endpoints.clone());
        Ok(environment)
    }

    /// The embedded services themselves.
    #[must_use]
    pub const fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The template, resolved.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// The variables of the template's output `OperatorEnvironment`, by which the command line
    /// finds a stack.
    #[must_use]
    pub const fn operator(&self) -> &BTreeMap<String, String> {
        &self.operator
    }

    /// The clock, the randomness and the AWS configuration of everything that runs over these
    /// services.
    #[must_use]
    pub const fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// The variables of the function that runs this binary; of several, those of the one whose
    /// logical id comes last.
    #[must_use]
    pub fn variables(&self, binary: &str) -> BTreeMap<String, String> {
        let mut functions = self
            .description
            .functions
            .values()
            .rev()
            .filter(|function| function.binary == binary);
        functions
            .next()
            .map(|function| function.environment.clone())
            .unwrap_or_default()
    }

    /// [`Services::variables`] as settings.
    #[must_use]
    pub fn env(&self, binary: &str) -> Env {
        Env::from_map(self.variables(binary))
    }

    /// The platform's state, opened as the management function opens it.
    ///
    /// # Errors
    /// A variable that the template does not give that function.
    pub fn store(&self) -> Result<Store, StartError> {
        let env = self.env("management");
        let tables = Tables::of(|name| env.required(name))?;
        let entropy = self.ambient.entropy.clone();
        Ok(Store::new(
            &self.ambient.aws,
            tables,
            self.ambient.clock.clone(),
            move || entropy.guid(),
        ))
    }

    /// The peppers, as the management function reads them.
    ///
    /// # Errors
    /// As [`Services::store`].
    pub fn peppers(&self) -> Result<PepperSource, StartError> {
        let env = self.env("management");
        Ok(PepperSource::new(
            &self.ambient.aws,
            env.required("LATCHKEY_PEPPER_SECRET")?,
            self.ambient.clock.clone(),
        ))
    }

    /// Where the services are, every function's variables together, those of the template's output
    /// `OperatorEnvironment`, and where the functions answer.
    #[must_use]
    pub fn environment(&self, base_url: &str) -> BTreeMap<String, String> {
        let mut environment = self.cloud.environment();
        for binary in ["audit", "sample-api", "authorizer", "tokens", "management"] {
            environment.extend(self.variables(binary));
        }
        environment.extend(self.operator.clone());
        // No alarm rings here, so whether anybody would be told of one says nothing of this stack.
        environment.remove("LATCHKEY_ALARM_TOPIC");
        environment.insert("LATCHKEY_URL".to_owned(), base_url.to_owned());
        environment
    }

    /// [`Services::environment`] with an access key that has the permissions of every function:
    /// `cargo lambda watch` gives all of them one environment.
    #[must_use]
    pub fn environment_of_every_function(&self, base_url: &str) -> BTreeMap<String, String> {
        let mut environment = self.environment(base_url);
        environment.insert("AWS_ACCESS_KEY_ID".to_owned(), EVERY_FUNCTION.to_owned());
        environment
    }

    /// Stops the services; what was written stays where it is kept.
    pub async fn stop(self) {
        self.cloud.stop().await;
    }
}
