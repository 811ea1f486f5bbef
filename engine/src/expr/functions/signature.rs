use std::fmt;

use crate::data::Type;
use crate::expr::ops;

/// One form of a function: what it takes and gives, read from text such as
/// `(list: list<O>, part: string?) -> O?`. `T` is any type, `O` one with an order, `N` a number;
/// each stands for one type in the whole form. `= ..` makes an argument optional, `...` repeats it.
#[derive(Debug)]
pub(crate) struct Form {
    params: Vec<Param>,
    result: Pattern,
    text: &'static str,
}

#[derive(Debug)]
struct Param {
    name: &'static str,
    pattern: Pattern,
    optional: bool,
    repeated: bool,
}

#[derive(Debug, Clone)]
enum Pattern {
    Exact(Type),
    Var(char),
    List(Box<Pattern>),
    Map(Box<Pattern>),
    Optional(Box<Pattern>),
}

/// Why arguments do not suit a form.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Which argument.
    pub(crate) arg: usize,
    /// The parameter's name.
    pub(crate) param: &'static str,
    /// What is expected there.
    pub(crate) expected: String,
    /// Whether only `null` stands in the way.
    pub(crate) null_only: bool,
}

/// What a type variable was found to be.
#[derive(Default)]
struct Bound(Option<Type>);

impl Form {
    /// Reads a form. The texts are this crate's own; a test reads them all, and one that is wrong takes anything.
    pub(super) fn read(text: &'static str) -> Self {
        Self::try_read(text).unwrap_or_else(|| Self { params: Vec::new(), result: Pattern::Exact(Type::Any), text })
    }

    pub(super) fn try_read(text: &'static str) -> Option<Self> {
        let (params, result) = text.strip_prefix('(')?.split_once(") -> ")?;
        let mut read = Vec::new();
        for param in params.split(", ").filter(|p| !p.is_empty()) {
            let (name, rest) = param.split_once(": ")?;
            let (rest, optional) = match rest.split_once(" = ") {
                Some((rest, _)) => (rest, true),
                None => (rest, false),
            };
            let (rest, repeated) = match rest.strip_suffix("...") {
                Some(rest) => (rest, true),
                None => (rest, false),
            };
            read.push(Param { name, pattern: Pattern::read(rest)?, optional: optional || repeated, repeated });
        }
        Some(Self { params: read, result: Pattern::read(result)?, text })
    }

    /// Whether it takes that many arguments.
    pub(super) fn takes(&self, count: usize) -> bool {
        let least = self.params.iter().filter(|p| !p.optional).count();
        let most = if self.params.last().is_some_and(|p| p.repeated) { usize::MAX } else { self.params.len() };
        (least..=most).contains(&count)
    }

    /// The type of the result for arguments of these types.
    pub(super) fn result(&self, args: &[Type]) -> Result<Type, Misfit> {
        let mut bound = Bound::default();
        for (arg, ty) in args.iter().enumerate() {
            let Some(param) = self.params.get(arg).or(self.params.last()) else { continue };
            if !param.pattern.accept(ty, &mut bound) {
                let null_only =
                    matches!(ty, Type::Optional(_)) && param.pattern.accept(ty.required(), &mut Bound(bound.0.clone()));
                return Err(Misfit { arg, param: param.name, expected: param.pattern.describe(&bound), null_only });
            }
        }
        Ok(self.result.fill(&bound))
    }
}

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_suffix('?') {
            return Some(Self::Optional(Box::new(Self::read(inner)?)));
        }
        let inside = |head: &str| text.strip_prefix(head)?.strip_suffix('>');
        Some(match text {
            "T" | "O" | "N" => Self::Var(text.chars().next()?),
            _ => {
                if let Some(inner) = inside("list<") {
                    Self::List(Box::new(Self::read(inner)?))
                } else if let Some(inner) = inside("map<") {
                    Self::Map(Box::new(Self::read(inner)?))
                } else {
                    Self::Exact(Type::parse(text).ok()?)
                }
            }
        })
    }

    fn accept(&self, ty: &Type, bound: &mut Bound) -> bool {
        match (self, ty) {
            (Self::Exact(expected), ty) => ty.fits(expected),
            (Self::Var(kind), ty) => {
                let suits = match kind {
                    'N' => matches!(ty, Type::Int | Type::Float | Type::Any),
                    'O' => ops::orderable(ty),
                    _ => true,
                };
                suits && bound.join(ty)
            }
            // Nothing is known of what is inside, so nothing of the variable either.
            (Self::List(inner) | Self::Map(inner), Type::Any) => inner.accept(&Type::Any, bound),
            (Self::List(inner), Type::List(element)) => inner.accept(element, bound),
            (Self::Map(inner), Type::Map(value)) => inner.accept(value, bound),
            // A value may have more fields than its type says.
            (Self::Map(inner), Type::Object(_)) => inner.accept(&Type::Any, bound),
            (Self::Optional(_), Type::Null) => true,
            (Self::Optional(inner), ty) => inner.accept(ty.required(), bound),
            _ => false,
        }
    }

    fn fill(&self, bound: &Bound) -> Type {
        match self {
            Self::Exact(ty) => ty.clone(),
            Self::Var(_) => bound.0.clone().unwrap_or(Type::Any),
            Self::List(inner) => Type::list(inner.fill(bound)),
            Self::Map(inner) => Type::map(inner.fill(bound)),
            Self::Optional(inner) => inner.fill(bound).optional(),
        }
    }

    fn describe(&self, bound: &Bound) -> String {
        match self {
            Self::Exact(ty) => ty.to_string(),
            Self::Var(kind) => match (&bound.0, kind) {
                (Some(ty), _) if *ty != Type::Any => ty.to_string(),
                (_, 'N') => "int or float".to_owned(),
                (_, 'O') => "a number, string, date, timestamp or duration".to_owned(),
                _ => "any".to_owned(),
            },
            Self::List(inner) => match **inner {
                Self::Var('T') => "a list".to_owned(),
                _ => format!("a list of {}", inner.describe(bound)),
            },
            Self::Map(_) => "a map".to_owned(),
            Self::Optional(inner) => inner.describe(bound),
        }
    }
}

impl Bound {
    fn join(&mut self, ty: &Type) -> bool {
        let joined = match &self.0 {
            None => ty.clone(),
            Some(known) => {
                let joined = known.join(ty);
                if joined == Type::Any && *known != Type::Any && *ty != Type::Any {
                    return false;
                }
                joined
            }
        };
        self.0 = Some(joined);
        true
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(form: &'static str, args: &[&str]) -> Option<String> {
        let args: Vec<Type> = args.iter().map(|a| Type::parse(a).expect(a)).collect();
        let form = Form::try_read(form).expect(form);
        form.takes(args.len()).then(|| form.result(&args).ok().map(|t| t.to_string()))?
    }

    #[test]
    fn variables_stand_for_one_type() {
        let some = |t: &str| Some(t.to_owned());
        assert_eq!(result("(list: list<T>) -> T?", &["list<int>"]), some("int?"));
        assert_eq!(result("(list: list<T>) -> T?", &["any"]), some("any"));
        assert_eq!(result("(list: list<T>, value: T) -> bool", &["list<int>", "string"]), None);
        assert_eq!(result("(list: list<T>, value: T) -> bool", &["list<int>", "float"]), some("bool"));
        assert_eq!(result("(a: N, b: N...) -> N", &["int", "float", "int"]), some("float"));
        assert_eq!(result("(a: N, b: N...) -> N", &["string"]), None);
        assert_eq!(result("(a: string, b: int = 0) -> string", &["string"]), some("string"));
        assert_eq!(result("(a: string, b: int = 0) -> string", &["string?"]), None);
        assert_eq!(result("(map: map<T>) -> list<T>", &["object{a: int}"]), some("list<any>"));
    }

    #[test]
    fn a_misfit_tells_when_only_null_stands_in_the_way() {
        let form = Form::try_read("(a: string) -> string").expect("a form");
        let misfit = form.result(&[Type::String.optional()]).expect_err("a misfit");
        assert!(misfit.null_only && misfit.expected == "string" && misfit.param == "a");
    }
}
