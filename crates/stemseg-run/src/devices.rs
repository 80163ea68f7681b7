//! What computes the images of a run: the device that was chosen, and the CPU where that
//! fails on the way.

use stemseg::backend::cpu::Cpu;
use stemseg::backend::{self, Backend, DeviceChoice, DeviceInfo, DeviceWork};
use stemseg::remarks::{Code, Remarks, Warning};
use stemseg::{Error, Result};

use crate::Request;

/// The devices of a run.
pub(super) struct Devices {
    chosen: Box<dyn Backend>,
    /// What is to be said about the choice.
    pub(super) remarks: Remarks,
    cpu: Cpu,
    /// Whether any device is right that gives a right result.
    any: bool,
}

/// What was done, with what.
pub(super) struct Done<T> {
    pub(super) result: T,
    pub(super) device: DeviceInfo,
    /// Why another device than the chosen one did it.
    pub(super) warning: Option<Warning>,
}

impl Devices {
    /// Opens the device that `request` asks for, for these families.
    ///
    /// # Errors
    /// As [`backend::open`].
    pub(super) fn open(request: &Request, families: &[&str]) -> Result<Self> {
        let (chosen, remarks) = backend::open(&request.device, request.check, families)?;
        Ok(Self { chosen, remarks, cpu: Cpu::new(), any: request.device == DeviceChoice::Auto })
    }

    /// The chosen device.
    pub(super) fn info(&self) -> DeviceInfo {
        self.chosen.device().clone()
    }

    /// Whether it is a graphics device, which works while the host does something else.
    pub(super) fn is_graphics(&self) -> bool {
        self.chosen.work().is_some()
    }

    /// What a graphics device was asked to do so far.
    pub(super) fn work(&self) -> Option<DeviceWork> {
        self.chosen.work()
    }

    /// Does `work` on the chosen device, and from the beginning on the CPU if it fails on
    /// the way: sums on a device are lost with it, and a result is that of one device.
    ///
    /// # Errors
    /// Those of `work`; those of the device where it was named and is wrong, or lacks what
    /// the work needs.
    pub(super) fn run<T>(&self, work: impl Fn(&dyn Backend) -> Result<T>) -> Result<Done<T>> {
        // One that was named tells of every image what is wrong with it.
        let why = match self.chosen.usable() || !self.any {
            true => match work(&*self.chosen) {
                Ok(result) => {
                    let device = self.chosen.device().clone();
                    return Ok(Done { result, device, warning: None });
                }
                Err(error) => self.cpu_goes_on(&error).ok_or(error)?,
            },
            false => format!("device {} failed before", self.chosen.device().name),
        };
        let text = format!("{why}; the CPU computed this result from the beginning");
        let result = work(&self.cpu)?;
        let warning = Some(Warning::new(Code::DeviceFailed, text));
        Ok(Done { result, device: self.cpu.device().clone(), warning })
    }

    /// Why the CPU is to go on, in words, if it is to.
    fn cpu_goes_on(&self, error: &Error) -> Option<String> {
        match error {
            Error::DeviceFailed { device, reason } => {
                Some(format!("device {device} failed: {reason}"))
            }
            // Who names a device wants to know whether it can be trusted.
            Error::DeviceWrong { device, stage, reason } if self.any => {
                Some(format!("device {device} gave a wrong result in stage {stage}: {reason}"))
            }
            Error::Device { device, reason } if self.any => {
                Some(format!("device {device}: {reason}"))
            }
            _ => None,
        }
    }
}
